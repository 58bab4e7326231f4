"""`DefenseExecutor`: from a detection to a paused contract."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

import orjson

from mempool_ids.config import IDSConfig
from mempool_ids.config.defense import Signer as SignerSection
from mempool_ids.defense import recovery
from mempool_ids.defense.action import ActionState, DefenseAction
from mempool_ids.defense.alarms import Alarms, OnAlarm
from mempool_ids.defense.amounts import in_ether
from mempool_ids.defense.armed import Kind, Rung
from mempool_ids.defense.arming import Armory
from mempool_ids.defense.book import Cause, Fate, Live
from mempool_ids.defense.broadcast.builders import chosen
from mempool_ids.defense.broadcast.bundle import Identity
from mempool_ids.defense.broadcast.relays import Relays
from mempool_ids.defense.broadcast.replies import read
from mempool_ids.defense.broadcast.wire import Wire
from mempool_ids.defense.chain import Chain, Head
from mempool_ids.defense.confirm import ConfirmPage
from mempool_ids.defense.exact import Exact
from mempool_ids.defense.gas import GasStrategy, Urgency
from mempool_ids.defense.gas import Threat as Priced
from mempool_ids.defense.guardian import Guardian, Ladder, Loaded, Protected
from mempool_ids.defense.journal import Journal, Marks
from mempool_ids.defense.ledger import Ledger, OnChange
from mempool_ids.defense.payer import Payer
from mempool_ids.defense.policy import Policy
from mempool_ids.defense.private import Private
from mempool_ids.defense.protected import check_recipients, protected
from mempool_ids.defense.rails import Rails
from mempool_ids.defense.readiness import Readiness
from mempool_ids.defense.signers import Signer, signer
from mempool_ids.defense.signers.local import LocalSigner
from mempool_ids.defense.statistics import DefenseStatistics, Quantiles
from mempool_ids.defense.trigger import Note, Trigger
from mempool_ids.defense.upkeep import IDLE_S, LIVE_S, Rehearsals, Upkeep
from mempool_ids.defense.watch import Watch
from mempool_ids.exceptions import ConfigError, MempoolIdsError, NodeError
from mempool_ids.node import RpcError

log = logging.getLogger(__name__)

T = TypeVar("T")

# Pause before a task that ended unexpectedly is started again.
_RESTART_S = 1.0
# A thread of this process that computes (arming, the user's own) gives way to the one that answers after so long; by
# Python's default it is ten times that.
_SWITCH_S = 0.0005
# How long the start waits for connections.
_WARM_UP_S = 2.0
# Signed bytes whose nonces are used are forgotten after so long.
_KEPT_S = 7 * 86_400.0
# How long an order waits for a node to say whether the contract is paused.
_ASK_S = 1.0


class DefenseExecutor:
    """Keeps responses armed, answers detections with them, and follows them until the contract is paused.

    The engine makes one in active defense. By itself:

        async with DefenseExecutor(config) as executor:
            action = await executor.execute_defense("pause", "Vault", threat_tx_hash, threat_gas_price)
            action = await executor.wait_for(action.action_id)

    Args:
        config: with `defense`, contracts that have a `pause`, and `chain.rpc_urls`.
        on_change: takes every change of state of an action, in order, once the journal has it.
        on_alarm: takes what people must know and is no action: kind and reason.
        rehearsals: the core's `pauses` statistics, where a sensor runs.
    """

    def __init__(
        self,
        config: IDSConfig,
        *,
        on_change: OnChange | None = None,
        on_alarm: OnAlarm | None = None,
        rehearsals: Rehearsals = tuple,
    ) -> None:
        self._config = config
        self._on_change = on_change
        self._on_alarm = on_alarm
        self._rehearsals = rehearsals
        self._thread = ThreadPoolExecutor(1, "ids-journal")
        self._chain: Chain | None = None
        self._journal: Journal | None = None
        self._marks: Marks | None = None
        self._exact: Exact | None = None
        self._wire: Wire | None = None
        self._signers: list[Signer] = []
        self._relays: Relays | None = None
        self._page: ConfirmPage | None = None
        self._running: _Running | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._alerts = 0
        self._to_wire, self._decided = Quantiles(), Quantiles()

    async def start(self) -> None:
        """Opens signer, journal and nodes, resumes what a former process left, and arms. Returns once armed.

        Raises:
            ConfigError: the configuration does not do for a defense.
            SignerError: the signer does not work.
            JournalError: the journal cannot be used.
            NodeError: no node answers, or one is on another chain.
        """
        if not self._config.chain.rpc_urls:
            raise ConfigError("active defense sends and asks over HTTP: set chain.rpc_urls")
        try:
            self._running = running = await self._open()
            await running.upkeep.arm()
            await self._warm_up()
            self._introduce(running.trigger)
            for name, work in (
                ("ledger", running.ledger.run),
                ("watch", running.upkeep.follow),
                ("arming", running.upkeep.keep_armed),
                ("readiness", running.upkeep.keep_ready),
                ("orders", self._take_orders),
                *([("offers", running.upkeep.keep_offered)] if self._relays is not None else []),
            ):
                self._tasks.append(asyncio.create_task(self._keep(name, work), name=f"defense-{name}"))
        except BaseException:
            await self.stop()
            raise

    def _introduce(self, trigger: Trigger) -> None:
        """Who stands ready for what."""
        mode = "ARMED" if self._config.defense.armed else "shadow mode, nothing is sent"
        for guardian in trigger.guardians:
            figures = guardian.figures()
            log.info(
                "defense: %s: guardian %s with %s, %d bids armed for %s",
                mode,
                guardian.address,
                in_ether(guardian.balance),
                figures["rungs"],
                ", ".join(trigger.targets),
            )

    async def _open(self) -> _Running:
        config, defense = self._config, self._config.defense
        chain_id = config.chain.id
        targets = protected(config.contracts)
        if not targets:
            raise ConfigError("no contract has a `pause`: there is nothing to defend with")
        chain = self._chain = Chain(config.chain.rpc_urls, chain_id)
        if wrong := await chain.leave_out_wrong():
            raise NodeError("; ".join(wrong))
        head = await chain.head()
        kind = self._kind(head)
        guardians = await self._open_guardians()
        if defense.armed:
            await self._refuse_delegated(chain, guardians)
        await check_recipients(config.contracts, chain.call, chain_id)
        journal = self._journal = await self._in_journal(
            lambda: Journal(defense.journal, chain_id=chain_id, guardian=guardians[0].address)
        )
        if defense.armed:
            sys.setswitchinterval(_SWITCH_S)
            self._marks = await self._in_journal(lambda: Marks.beside(defense.journal))
            if any(isinstance(one, LocalSigner) for one in self._signers):
                self._exact = await self._in_journal(lambda: Exact(defense.journal, chain_id, kind))
            self._wire = Wire(config.chain.rpc_urls if defense.broadcast.public else ())
        if defense.confirm.seconds and defense.confirm.listen:
            outside = None if defense.confirm.url is None else defense.confirm.url.full
            self._page = ConfirmPage(defense.confirm.listen, outside, self._describe, self._take_answer)
            await self._page.start()
        loop = asyncio.get_running_loop()
        alarms = Alarms(loop, self._on_alarm)
        signed = list if self._exact is None else self._exact.take
        ledger = Ledger(loop, journal, self._in_journal, alarms, self._on_change, signed)
        gas = GasStrategy(defense.gas)
        trigger = Trigger(
            policy=Policy(config),
            gas=gas,
            rails=Rails(defense.rails, gas.daily_budget),
            targets=targets,
            guardians=guardians,
            marks=self._marks,
            wire=self._wire,
            exact=self._exact,
            always_exact=defense.exact,
            confirm_s=defense.confirm.seconds,
            link=None if self._page is None else self._page.link,
            by_fee_cap=await chain.orders_by_fee_cap(),
            legacy=kind == "legacy",
            tell=ledger.note,
            answered=self._answered,
        )

        def load(guardian: Guardian, ladders: Mapping[str, Mapping[int, Ladder]]) -> None:
            with trigger.lock:
                guardian.load(ladders)

        armories = [(one, Armory(defense, gas, one, chain_id, kind, self._arm, load)) for one in guardians]
        default_act = defense.confirm.default == "act"
        watch = Watch(
            trigger,
            chain,
            chain_id,
            kind,
            defense.depth,
            default_act,
            defense.when_gone == "cancel",
            self._arm,
            alarms,
            self._human,
        )
        private = await self._open_private(chain, alarms, trigger, kind)
        upkeep = Upkeep(
            defense, chain, trigger, watch, private, self._wire, armories, alarms, self._rehearsals
        )
        left = await self._in_journal(lambda: recovery.read(journal, self._marks, self._exact))
        trigger.rails.restore(left.past)
        # What was written and not told before the end is told now; who knows it passes it over.
        for action in left.recent:
            for transition in action.history:
                if self._on_change is not None:
                    self._on_change(action, transition)
        for found in left.found:
            ledger.adopt(found.action)
            recovery.resume(found, trigger, time.time())
        # After what a former process sent is known: else it would look like a stranger's.
        await upkeep.see(head)
        latest = {guardian.address: guardian.latest for guardian in guardians}
        await self._in_journal(lambda: journal.prune(latest, time.time() - _KEPT_S))
        orders = await self._in_journal(lambda: journal.orders(0))
        return _Running(
            trigger, watch, upkeep, ledger, alarms, max((order.number for order in orders), default=0)
        )

    async def _open_private(
        self, chain: Chain, alarms: Alarms, trigger: Trigger, kind: Kind
    ) -> Private | None:
        section = self._config.defense.broadcast
        if not section.builders or not self._config.defense.armed:
            return None
        builders = chosen(section.builders, self._config.chain.id, section.builders_file)
        whose = [guardian.address for guardian in trigger.guardians]
        identity = None if section.identity is None else Identity.load(section.identity, whose)
        self._relays = Relays(builders, identity)
        payer = None
        if section.payer is not None:
            one = await self._open_signer(section.payer)
            if one.address in whose:
                raise ConfigError(
                    "defense.broadcast.payer is a guardian: its transfers would take nonces of pauses"
                )
            payer = Payer(
                one, chain, self._config.chain.id, kind, trigger.gas.min_tip, trigger.gas.max_fee, self._arm
            )
        return Private(
            self._relays,
            builders,
            chain,
            alarms,
            self._next_sequence,
            section.blocks,
            payer,
            trigger.promise,
        )

    async def _open_signer(self, section: SignerSection) -> Signer:
        one = signer(section)
        self._signers.append(one)
        await one.open(self._config.chain.id)
        return one

    async def _next_sequence(self, builder: str) -> int:
        journal = self._journal
        if journal is None:
            raise MempoolIdsError("the journal is closed")
        return await self._in_journal(lambda: journal.next_sequence(builder))

    def _kind(self, head: Head) -> Kind:
        kind = self._config.defense.gas.kind
        if kind != "auto":
            return kind
        return "legacy" if head.base_fee is None else "eip1559"

    async def _open_guardians(self) -> list[Guardian]:
        defense = self._config.defense
        if defense.armed and defense.signer is None:
            raise ConfigError(
                "defense.armed without defense.signer: who is to sign? docs/signers.md has the kinds, for example "
                'signer = { type = "keystore", path = "guardian.json", password = "env:GUARDIAN_PASSWORD" }'
            )
        if not defense.armed and defense.guardian is not None:
            return [Guardian(defense.guardian, None)]
        sections = [one for one in (defense.signer, defense.backup) if one is not None]
        if not sections:
            raise ConfigError("defense.shadow needs defense.guardian (an address) or defense.signer")
        guardians = []
        for section in sections:
            one = await self._open_signer(section)
            guardians.append(Guardian(one.address, one if defense.armed else None))
        if defense.guardian is not None and defense.guardian != guardians[0].address:
            raise ConfigError(
                f"defense.guardian is {defense.guardian}, and defense.signer signs as {guardians[0].address}: leave "
                "the first out, or use the key of that account"
            )
        if len({guardian.address for guardian in guardians}) != len(guardians):
            raise ConfigError(
                "defense.backup is the same key as defense.signer: it makes nothing independent"
            )
        return guardians

    async def _refuse_delegated(self, chain: Chain, guardians: Sequence[Guardian]) -> None:
        """Pools take one transaction at a time of an account with code (EIP-7702)."""
        for guardian in guardians:
            if await chain.code(guardian.address):
                raise ConfigError(
                    f"guardian {guardian.address} has code (EIP-7702): use an account that has delegated nothing"
                )

    async def _warm_up(self) -> None:
        """Until every endpoint's connections are open, or for so long; readiness says who is missing."""
        if self._wire is not None:
            await asyncio.to_thread(self._wire.wait_warm, _WARM_UP_S)

    async def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """A task that fails is an alarm, and goes on."""
        while True:
            try:
                await work()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.exception("defense: %s", name)
                self._run.alarms.tell(f"{name} failed", f"{type(error).__name__}: {error}")
            await asyncio.sleep(_RESTART_S)

    async def stop(self) -> None:
        """Stops following. What is out stays out; the journal has it, and a restart goes on with it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._running is not None:
            await self._running.ledger.drain()
        if self._page is not None:
            await self._page.stop()
        if self._relays is not None:
            await self._relays.close()
        if self._wire is not None:
            self._wire.close()
        for one in self._signers:
            await one.close()
        if self._chain is not None:
            await self._chain.close()
        if self._marks is not None:
            self._marks.close()
        if self._exact is not None:
            self._exact.close()
        if self._journal is not None:
            await self._in_journal(self._journal.close)
            self._journal = None
        self._thread.shutdown()

    async def __aenter__(self) -> DefenseExecutor:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def _run(self) -> _Running:
        if self._running is None:
            raise MempoolIdsError("the defense is not running")
        return self._running

    async def _in_journal(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _arm(self, rungs: list[Rung]) -> None:
        journal = self._journal
        if journal is None:
            raise MempoolIdsError("the journal is closed")
        await self._in_journal(lambda: journal.arm(rungs))

    async def _human(self, action_id: str) -> bool | None:
        journal = self._journal
        if journal is None:
            return None
        answers = await self._in_journal(lambda: journal.answers(action_id))
        return answers[0].yes if answers else None

    async def _take_answer(self, action_id: str, yes: bool, who: str) -> None:
        journal = self._journal
        if journal is None:
            raise MempoolIdsError("the journal is closed")
        await self._run.ledger.drain()
        await self._in_journal(lambda: journal.answer(action_id, yes, who))
        self._run.watch.wake.set()

    def _describe(self, action_id: str) -> str | None:
        """What a human is asked about."""
        for live in self._run.trigger.book.all():
            if live.action.action_id == action_id and live.decide_by is not None:
                threats = ", ".join(live.action.threats) or "none"
                return f"{live.target.name} at {live.target.address}: {live.cause.reason}. Threat: {threats}"
        return None

    def receive(self, kind: str, raw: bytes) -> bytes:
        """Takes an event as the core wrote it; answers an alert, and returns it with what was decided.

        Called on the thread that the core's events arrive on, in order, before anything else sees them. Never raises.
        """
        if kind == "outcome":
            self._take_outcome(raw)
        return self._answer(raw) if kind == "alert" else raw

    def _answer(self, raw: bytes) -> bytes:
        started = time.time()
        try:
            alert = orjson.loads(raw)
            note = self.respond(alert)
            if note.sent_at is not None:
                self._decided.add((note.sent_at - started) * 1e6)
                detected = datetime.fromisoformat(alert["timestamp"]).timestamp()
                self._to_wire.add((note.sent_at - detected) * 1e6)
            if note.tell:
                self._run.alarms.soon("unanswered", f"{alert['tx']['hash']}: {note.decision}")
            said = {"action_id": note.action_id, "decision": note.decision}
            return orjson.dumps({**alert, "response": {**alert["response"], **said}})
        except Exception as error:
            # Whatever it is, people are still told of the alert.
            log.exception("defense: an alert could not be decided on")
            if self._running is not None:
                reason = f"an alert could not be decided on: {type(error).__name__}: {error}"
                self._running.alarms.soon("decision failed", reason)
            return raw

    def practise(self) -> None:
        """Keeps the hot path warm: called on the thread that receives while nothing arrives. Never raises."""
        try:
            self._run.trigger.practise()
        except Exception:
            log.exception("defense: practice failed")

    def respond(self, alert: Mapping[str, Any]) -> Note:
        """Answers an `alert` event at once, from any thread."""
        self._alerts += 1
        return self._run.trigger.fire(alert)

    def _answered(self, live: Live, loaded: Loaded, endpoint: str, reply: bytes | RpcError) -> None:
        """On the wire's own thread."""
        answer = read(reply)
        if live.last is loaded:
            live.answers[endpoint] = answer
        log.info("response %s: %s: %s", live.action.action_id, endpoint, answer.message or answer.kind)
        if self._running is not None:
            self._running.watch.wake_soon()

    def _take_outcome(self, raw: bytes) -> None:
        """What became of a threat."""
        try:
            event = orjson.loads(raw)
            self.outcome(str(event["hash"]), str(event["outcome"]))
        except Exception:
            log.exception("defense: an outcome could not be read")

    def outcome(self, tx_hash: str, outcome: str) -> None:
        """What became of a threat, as the core's `outcome` events have it. Thread-safe."""
        run = self._run
        fate = {"mined": Fate.MINED, "replaced": Fate.GONE, "dropped": Fate.GONE}.get(outcome, Fate.PENDING)
        with run.trigger.lock:
            for live in run.trigger.book.answering(tx_hash):
                live.threats[tx_hash].fate, live.threats[tx_hash].fate_at = fate, time.monotonic()
        run.watch.wake_soon()

    async def execute_defense(
        self,
        strategy: str,
        target_contract: str,
        threat_tx_hash: str | None = None,
        threat_gas_price: int = 0,
        urgency: str = "critical",
    ) -> DefenseAction:
        """Responds by hand: through the same journal, caps, rails and watch as to an alert.

        Args:
            strategy: `pause`, or `rescue` where the contract is configured so.
            target_contract: name or address.
            threat_tx_hash: what it answers; None where there is nothing pending.
            threat_gas_price: wei a gas that the threat pays.
            urgency: `low`, `normal`, `high`, `critical`.

        Returns:
            The action as it is now; `wait_for` waits for its end.

        Raises:
            ConfigError: there is no such contract or urgency, or the contract's response is another one.
            MempoolIdsError: it was refused; the message says why.
        """
        trigger = self._run.trigger
        target = self._find(target_contract)
        if strategy != target.strategy:
            raise ConfigError(f"{target.name} is configured for {target.strategy!r}, not {strategy!r}")
        if urgency not in list(Urgency):
            raise ConfigError(f"urgency {urgency!r} is none of {', '.join(Urgency)}")
        gas_price, max_fee = await self._price(threat_tx_hash, threat_gas_price)
        cause = Cause(
            tx_hash=threat_tx_hash,
            sender="by hand",
            priced=Priced(gas_price=gas_price, tip=max(0, gas_price - trigger.base_fee)),
            max_fee=max_fee,
            grade="proved",
            urgency=Urgency(urgency),
            pause_gas=0,
            grave=True,
            reason="somebody asked for it",
        )
        is_paused: bool | None = None
        with contextlib.suppress(TimeoutError):
            # A node that does not answer must not hold up a person.
            async with asyncio.timeout(_ASK_S):
                is_paused = await self._run.watch.says_paused(target)
        note = await asyncio.to_thread(lambda: trigger.by_hand(target.name, cause, is_paused=bool(is_paused)))
        if note.action_id is None:
            raise MempoolIdsError(note.decision)
        return await self.action(note.action_id)

    async def _price(self, tx_hash: str | None, given: int) -> tuple[int, int]:
        """What a threat pays a gas, and its fee cap: as a node knows it, else as given."""
        known = None
        if tx_hash is not None and self._chain is not None:
            with contextlib.suppress(NodeError):
                known = await self._chain.transaction(tx_hash)
        if known is None:
            return given, given
        legacy = int(str(known.get("gasPrice") or "0x0"), 16)
        max_fee = int(str(known.get("maxFeePerGas") or hex(legacy)), 16)
        tip = int(str(known.get("maxPriorityFeePerGas") or hex(legacy)), 16)
        return max(given, min(max_fee, self._run.trigger.base_fee + tip)), max_fee

    async def retry_failed_action(self, action: DefenseAction) -> DefenseAction:
        """Tries again what failed: a new action for the same target and threat.

        Raises:
            MempoolIdsError: it has not failed, or is refused.
        """
        if action.state is not ActionState.FAILED:
            raise MempoolIdsError(f"action {action.action_id} is {action.state}, not failed")
        price = self._run.trigger.base_fee + (action.max_priority_fee_per_gas or 0)
        threat = action.threats[0] if action.threats else None
        return await self.execute_defense(action.strategy, action.target, threat, price, action.urgency)

    async def action(self, action_id: str) -> DefenseAction:
        """An action as it is now.

        Raises:
            MempoolIdsError: there is none of that id.
        """
        for live in self._run.trigger.book.all():
            if live.action.action_id == action_id:
                return live.action
        await self._run.ledger.drain()
        journal = self._journal
        known = [] if journal is None else await self._in_journal(journal.actions)
        for action in reversed(known):
            if action.action_id == action_id:
                return action
        raise MempoolIdsError(f"there is no action {action_id}")

    async def wait_for(self, action_id: str, timeout_s: float = 120.0) -> DefenseAction:
        """The action once it is over.

        Raises:
            TimeoutError: it is not, after so long.
        """
        async with asyncio.timeout(timeout_s):
            while True:
                action = await self.action(action_id)
                if action.is_over:
                    return action
                await asyncio.sleep(LIVE_S)

    def strategy(self, target_contract: str) -> str:
        """How a contract, by name or address, is answered: `pause` or `rescue`.

        Raises:
            ConfigError: there is no such contract.
        """
        return self._find(target_contract).strategy

    def _find(self, name: str) -> Protected:
        targets = self._run.trigger.targets
        for target in targets.values():
            if name == target.name or name.lower() == target.address:
                return target
        raise ConfigError(f"no contract {name!r} has a pause; known: {', '.join(targets)}")

    async def _take_orders(self) -> None:
        """Pauses that somebody asks for beside the sensor (`mempool-ids defend pause`)."""
        run = self._run
        while (journal := self._journal) is not None:
            for order in await self._in_journal(lambda last=run.ordered: journal.orders(last)):  # type: ignore[misc]
                # Whatever becomes of it, once: a pause long after is a false one.
                run.ordered = order.number
                log.warning("defense: %s asks to pause %s", order.who, order.target)
                try:
                    strategy = self.strategy(order.target)
                    await self.execute_defense(
                        strategy, order.target, order.threat, order.gas_price, order.urgency
                    )
                except MempoolIdsError as error:
                    reason = f"{order.who} asked to pause {order.target}: {error}"
                    self._run.alarms.tell("order refused", reason)
            await asyncio.sleep(IDLE_S)

    async def prove(self) -> list[Readiness]:
        """Proves once for every contract that its pause would work now.

        Raises:
            NodeError: nobody answers.
        """
        return await self._run.upkeep.prove()

    def pauses(self) -> dict[str, dict[str, Any]]:
        """What the core rehearses, and simulates before an attack: by contract, who calls what."""
        trigger = self._run.trigger
        return {
            name: target.question(trigger.guardians[0].address) for name, target in trigger.targets.items()
        }

    def get_statistics(self) -> DefenseStatistics:
        """Figures as of now."""
        run = self._running
        if run is None:
            return DefenseStatistics()
        defense, counts = self._config.defense, run.ledger.counts
        return DefenseStatistics(
            armed=defense.armed,
            shadow=defense.shadow,
            alerts=self._alerts,
            actions=counts["actions"],
            by_state=run.ledger.by_state(),
            won=counts["won"],
            lost=counts["lost"],
            capped=counts["capped"],
            spent_wei=counts["spent"],
            saved_wei=counts["saved"],
            rungs_signed=run.upkeep.signed,
            to_wire_us=self._to_wire.as_dict(),
            decide_us=self._decided.as_dict(),
            alarms=dict(run.alarms.counts),
            guardians=tuple(guardian.figures() for guardian in run.trigger.guardians),
            contracts=tuple(run.upkeep.readiness.values()),
            endpoints=tuple(self._wire.health()) if self._wire is not None else (),
        )


class _Running:
    """What there is once it is open."""

    def __init__(
        self,
        trigger: Trigger,
        watch: Watch,
        upkeep: Upkeep,
        ledger: Ledger,
        alarms: Alarms,
        ordered: int,
    ) -> None:
        self.trigger = trigger
        self.watch = watch
        self.upkeep = upkeep
        self.ledger = ledger
        self.alarms = alarms
        self.ordered = ordered
        """The last order that was taken, or that was there before the start: nobody waits for it any more."""
