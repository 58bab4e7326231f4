//! Attacks as they happened, on the state that they met: contracts that make the call of the attack and have it in their code,
//! and the same contracts where the addresses and amounts have to be guessed.
//!
//! The states are in the shared data (`MEMPOOL_IDS_DATA`); without it this test says so and passes.

use super::*;
use alloy_dyn_abi::{DynSolValue, JsonAbiExt};
use alloy_json_abi::Function;
use alloy_primitives::{Address, Bytes, address, hex, keccak256};
use flate2::read::GzDecoder;
use revm::bytecode::Bytecode;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

struct Incident {
    name: &'static str,
    monitored: &'static [Address],
    /// Of the contract that makes the attack.
    artifact: &'static str,
    ether: u128,
    /// What must be so before; answers the call of the attack.
    build: fn(&mut World, Address) -> Bytes,
}

fn data() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("MEMPOOL_IDS_DATA")?).join("incidents");
    folder.is_dir().then_some(folder)
}

fn number(value: &Value) -> U256 {
    match value.as_str() {
        Some(text) => text.parse().expect("a number"),
        None => U256::from(value.as_u64().expect("a number")),
    }
}

fn world(path: PathBuf) -> World {
    let file = GzDecoder::new(File::open(path).expect("a state"));
    let told: Value = serde_json::from_reader(file).expect("JSON");
    let mut world = World::new();
    for (address, account) in told["accounts"].as_object().expect("accounts") {
        let code = hex::decode(account["code"].as_str().unwrap_or_default()).expect("hex");
        let account_of = world
            .state
            .accounts
            .entry(address.parse().expect("an address"));
        let info = &mut account_of.or_default().info;
        info.balance = number(&account["balance"]);
        info.nonce = number(&account["nonce"]).to();
        if !code.is_empty() {
            (info.code, info.code_hash) = (None, keccak256(&code));
            world
                .state
                .codes
                .insert(info.code_hash, Bytecode::new_raw(code.into()));
        }
    }
    for (address, slots) in told["storage"].as_object().expect("storage") {
        let account = world
            .state
            .accounts
            .entry(address.parse().expect("an address"));
        let slots = slots.as_object().expect("slots").iter();
        let slots = slots.map(|(slot, value)| (slot.parse().expect("a slot"), number(value)));
        account.or_default().storage.extend(slots);
    }
    let block = &told["block"];
    let environment = &mut world.environment;
    environment.chain_id = told["chain_id"].as_u64().expect("a chain");
    environment.fork = revm::primitives::hardfork::SpecId::LONDON;
    environment.block.number = number(&block["number"]) + U256::ONE;
    environment.block.timestamp = number(&block["timestamp"]) + U256::from(12);
    environment.block.basefee = block["base_fee"].as_u64().unwrap_or_default();
    world
}

fn entry(key: Address, slot: U256) -> U256 {
    let both = [key.into_word().0, slot.to_be_bytes::<32>()].concat();
    keccak256(both).into()
}

fn write(world: &mut World, account: Address, slot: U256, value: U256) {
    let account = world.state.accounts.entry(account).or_default();
    account.storage.insert(slot, value);
}

/// Tokens that somebody has, and lets somebody else spend: slots of the mappings of balances and of allowances.
fn holds(
    world: &mut World,
    token: Address,
    (balances, allowances): (u64, u64),
    owner: Address,
    amount: U256,
    spender: Address,
) {
    write(world, token, entry(owner, U256::from(balances)), amount);
    let allowance = entry(spender, entry(owner, U256::from(allowances)));
    write(world, token, allowance, U256::ONE << 255);
}

fn call(signature: &str, values: Vec<DynSolValue>) -> Bytes {
    let function = Function::parse(signature).expect("a function");
    function
        .abi_encode_input(&values)
        .expect("its arguments")
        .into()
}

fn addresses<const N: usize>(all: [Address; N]) -> Vec<DynSolValue> {
    all.into_iter().map(DynSolValue::Address).collect()
}

fn amount(number: U256) -> DynSolValue {
    DynSolValue::Uint(number, 256)
}

fn units(count: u64, decimals: u64) -> U256 {
    U256::from(count) * U256::from(10).pow(U256::from(decimals))
}

const USDC: Address = address!("a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48");
const BSC_USDT: Address = address!("55d398326f99059ff775485246999027b3197955");

const DAO_MAKER: [Address; 2] = [
    address!("2fd602ed1f8cb6deaba9bedd560ffe772eb85940"),
    address!("9fa69536d1cda4a04cfb50688294de75b505a9ae"),
];
const TEMPLE: [Address; 2] = [
    address!("d2869042e12a3506100af1d192b5b04d65137941"),
    address!("bcb8b7fc9197feda75c101fa69d3211b5a30dcd9"),
];
const PUNK: [Address; 3] = [
    address!("3bc6aa2d25313ad794b2d67f83f21d341cc3f5fb"),
    address!("1f3b04c8c96a31c7920372ffa95371c80a4bfb0d"),
    address!("929cb86046e421abf7e1e02de7836742654d49d6"),
];
const MBC: [Address; 4] = [
    address!("4e87880a72f6896e7e0a635a5838ffc89b13bd17"),
    address!("ee04a3f9795897fd74b7f04bb299ba25521606e6"),
    address!("5b1bf836fba1836ca7ffce26f155c75dbfa4adf1"),
    address!("33cca0e0cff617a2aef1397113e779e42a06a74a"),
];
const RIKKEI: [Address; 8] = [
    address!("d55f01b4b51b7f48912cd8ca3cdd8070a1a9dba5"),
    address!("4f3e801bd57dc3d641e72f2774280b21d31f64e4"),
    address!("157822ac5fa0efe98daa4b0a55450f4a182c10ca"),
    address!("916e87d16b2f3e097b9a6375dc7393cf3b5c11f5"),
    address!("53abf990bf7a37faa783a75fdd75bbcf8bdf11eb"),
    address!("9b9006cb01b1f664ac25137d3a3a20b37d8bc078"),
    address!("383598668c025be0798e90e7c5485ff18d311063"),
    address!("6db6a55e57ac8c90477bbf00ce874b988666553a"),
];
const SANDBOX: [Address; 1] = [address!("50f5474724e0ee42d9a4e711ccfb275809fd6d4a")];
const DFX: [Address; 3] = [
    address!("46161158b1947d9149e066d6d31af1283b2d377c"),
    USDC,
    address!("ebf2096e01455108badcbaf86ce30b6e5a72aa52"),
];
const ONE_RING: [Address; 2] = [
    address!("4e332d616b5ba1edfd87c899e534d996c336a2fc"),
    address!("04068da6c83afcfa0e13ba15a6696662335d5b75"),
];
const QI: [Address; 3] = [
    address!("627742aafe82eb5129dd33d237ff318ef5f76cbc"),
    address!("570bc2b7ad1399237185a27e66aea9cfff5f3db8"),
    address!("3dc7e6ff0fb79770fa6fb05d1ea4deacce823943"),
];
const REVEST: [Address; 3] = [
    address!("2320a28f52334d62622cc2eafa15de55f9987ed9"),
    address!("a81bd16aa6f6b25e66965a2f842e9c806c0aa11f"),
    address!("e952bda8c06481506e4731c4f54ced2d4ab81659"),
];
const HUNDRED: [Address; 2] = [
    address!("243e33aa7f6787154a8e59d3c27a66db3f8818ee"),
    address!("090a00a2de0ea83def700b5e216f87a5d4f394fe"),
];
const CREAM: [Address; 3] = [
    address!("3d5bc3c8d13dcb8bf317092d84783c2697ae9258"),
    address!("2db6c82ce72c8d7d770ba1b5f5ed0b6e075066d6"),
    address!("d06527d5e56a3495252a528c4987003b712860ee"),
];
const SEAMAN: [Address; 2] = [
    address!("6bc9b4976ba6f8c9574326375204ee469993d038"),
    address!("6637914482670f91f43025802b6755f27050b0a6"),
];
const TEAM: [Address; 5] = [
    address!("e2fe530c047f2d85298b07d9333c05737f1435fb"),
    address!("7a809081f991ecfe0ab2727c7e90d2ad7c2e411e"),
    address!("67cea36eeb36ace126a3ca6e21405258130cf33c"),
    address!("854373387e41371ac6e307a1f29603c6fa10d872"),
    address!("9267c29e4f517ce9f6d603a15b50aa47ce32278d"),
];
const FURUCOMBO: [Address; 1] = [address!("17e8ca1b4798b97602895f63206afcd1fc90ca5f")];

const INCIDENTS: &[Incident] = &[
    Incident {
        name: "DAOMaker",
        monitored: &DAO_MAKER,
        artifact: "VestingRobber",
        ether: 100,
        build: |_, _| call("rob(address,address)", addresses(DAO_MAKER)),
    },
    Incident {
        name: "TempleDao",
        monitored: &TEMPLE,
        artifact: "StakeMigrator",
        ether: 100,
        build: |_, _| call("rob(address,address)", addresses(TEMPLE)),
    },
    Incident {
        name: "PunkProtocol",
        monitored: &PUNK,
        artifact: "ForgeTaker",
        ether: 100,
        build: |world, _| {
            let compound = [
                address!("39aa39c021dfbae8fac545936693ac917d5e7563"),
                address!("f650c3d88d12db855b8bf7d11be6c55a4e07dcc9"),
                address!("5d3a536e4d6dbd6114cc1ead35777bab948e3643"),
            ];
            let tokens = [
                USDC,
                address!("dac17f958d2ee523a2206206994597c13d831ec7"),
                address!("6b175474e89094c44da98b954eedeac495271d0f"),
            ];
            let now = world.environment.block.number;
            write(world, compound[2], U256::from(9), now);
            let models = PUNK.into_iter().zip(tokens).zip(compound);
            let models = models.map(|((model, token), market)| {
                DynSolValue::Tuple(addresses([model, token, market]))
            });
            let rest = addresses([
                address!("c00e94cb662c3520282e6f5717214004a7f26888"),
                address!("3d9819210a31b4961b30ef54be2aed79b9c9cd3b"),
                address!("7a250d5630b4cf539739df2c5dacb4c659f2488d"),
            ]);
            let models = vec![DynSolValue::Array(models.collect())];
            let signature = "rob((address,address,address)[],address,address,address)";
            call(signature, [models, rest].concat())
        },
    },
    Incident {
        name: "MBCToken",
        monitored: &MBC,
        artifact: "MidwayLiquifier",
        ether: 100,
        build: |world, robber| {
            let lent = units(150_000, 18);
            write(world, BSC_USDT, entry(robber, U256::ONE), lent);
            let [mbc, zzsh, mbc_pair, zzsh_pair] = MBC;
            let both = |all| DynSolValue::Array(addresses(all));
            let lists = vec![both([mbc, zzsh]), both([mbc_pair, zzsh_pair])];
            call(
                "rob(address[],address[],address)",
                [lists, addresses([BSC_USDT])].concat(),
            )
        },
    },
    Incident {
        name: "Rikkei",
        monitored: &RIKKEI,
        artifact: "OracleSetter",
        ether: 100,
        build: |_, _| {
            let [oracle, comptroller, bnb, lent @ ..] = RIKKEI;
            let lent = vec![DynSolValue::Array(addresses(lent))];
            let all = [addresses([oracle, comptroller, bnb]), lent].concat();
            call("rob(address,address,address,address[])", all)
        },
    },
    Incident {
        name: "Sandbox",
        monitored: &SANDBOX,
        artifact: "LandBurner",
        ether: 100,
        build: |_, _| {
            let victim = address!("9cfa73b8d300ec5bf204e4de4a58e5ee6b7dc93c");
            let numbers = [3738, 100].map(|n| amount(U256::from(n))).to_vec();
            let all = [addresses([SANDBOX[0], victim]), numbers].concat();
            call("burn(address,address,uint256,uint256)", all)
        },
    },
    Incident {
        name: "DFX",
        monitored: &DFX,
        artifact: "FlashDepositor",
        ether: 100,
        build: |world, robber| {
            let [curve, usdc, xidr] = DFX;
            holds(world, usdc, (9, 10), robber, units(5_000, 6), curve);
            holds(world, xidr, (7, 8), robber, units(100_000_000, 6), curve);
            let all = [
                addresses([curve, xidr, usdc]),
                vec![amount(units(200_000, 18))],
            ]
            .concat();
            call("rob(address,address,address,uint256)", all)
        },
    },
    Incident {
        name: "OneRing",
        monitored: &ONE_RING,
        artifact: "ShareFlasher",
        ether: 100,
        build: |_, _| {
            let [vault, usdc] = ONE_RING;
            let pair = address!("bcab7d083cf6a01e0dda9ed7f8a02b47d125e682");
            let all = [
                addresses([pair, vault, usdc]),
                vec![amount(units(80_000_000, 6))],
            ]
            .concat();
            call("rob(address,address,address,uint256)", all)
        },
    },
    Incident {
        name: "QiCurve",
        monitored: &QI,
        artifact: "PriceHolder",
        ether: 100,
        build: |world, robber| {
            let [comptroller, shares, mai] = QI;
            let pool = address!("fb6fe7802ba9290ef8b00ca16af4bc26eb663a28");
            write(world, pool, U256::from(18), U256::from(600));
            let share = address!("e0570ddfca69e5e90d83ea04bb33824d3bbe6a85");
            holds(world, share, (0, 1), robber, units(175_000, 18), shares);
            let staked = address!("3a58a54c066fdc0f2d55fc9c89f0415c92ebf3c4");
            write(
                world,
                staked,
                entry(robber, U256::ZERO),
                units(7_600_000, 18),
            );
            let wrapped = address!("0d500b1d8e8ef31e21c99d1db9a6444d3adf1270");
            write(
                world,
                wrapped,
                entry(robber, U256::from(3)),
                units(19_200_000, 18),
            );
            let all = addresses([pool, comptroller, shares, mai]);
            call("rob(address,address,address,address)", all)
        },
    },
    Incident {
        name: "Revest",
        monitored: &REVEST,
        artifact: "FnftOverwriter",
        ether: 100,
        build: |world, robber| {
            let rena = address!("56de8bc61346321d4f2211e3ac3c0a7f00db9b76");
            holds(world, rena, (0, 1), robber, units(2, 18), REVEST[0]);
            let all = [
                addresses([REVEST[0], rena]),
                vec![amount(U256::from(360_000))],
            ]
            .concat();
            call("rob(address,address,uint256)", all)
        },
    },
    Incident {
        name: "Hundred",
        monitored: &HUNDRED,
        artifact: "TokenHookBorrower",
        ether: 100,
        build: |world, robber| {
            let usdc = address!("ddafbb505ad214d7b80b1f830fccc89b60fb7a83");
            let [usdc_market, dai_market] = HUNDRED;
            holds(
                world,
                usdc,
                (3, 5),
                robber,
                units(2_000_000, 6),
                usdc_market,
            );
            let comptroller = address!("0f390559f258eb8591c8e31cf0905e97cf36ace2");
            let amounts = [
                units(2_000_000, 6),
                units(1_750_000, 6),
                units(1_200_000, 18),
            ];
            let amounts = amounts.map(amount).to_vec();
            let all = [addresses([comptroller, usdc_market, dai_market]), amounts].concat();
            call("rob(address,address,address,uint256,uint256,uint256)", all)
        },
    },
    Incident {
        name: "Cream",
        monitored: &CREAM,
        artifact: "AmpHookBorrower",
        ether: 1_000,
        build: |_, _| {
            let [comptroller, amp, ether] = CREAM;
            let amounts = [units(19_480_000, 18), units(355, 18)].map(amount).to_vec();
            let all = [addresses([comptroller, ether, amp]), amounts].concat();
            call("rob(address,address,address,uint256,uint256)", all)
        },
    },
    Incident {
        name: "Seaman",
        monitored: &SEAMAN,
        artifact: "DustSender",
        ether: 100,
        build: |world, robber| {
            let [seaman, pair] = SEAMAN;
            write(
                world,
                BSC_USDT,
                entry(robber, U256::ONE),
                units(500_000, 18),
            );
            write(world, seaman, entry(robber, U256::from(2)), units(1, 18));
            let gvc = address!("db95fbc5532eeb43deed56c8dc050c930e31017e");
            let gvc_pair = address!("84d26ad5f7d12ae783fee433fd0d2b2b1a7e9260");
            let all = addresses([seaman, pair, gvc, gvc_pair, BSC_USDT]);
            let all = [all, vec![amount(U256::from(20))]].concat();
            call("rob(address,address,address,address,address,uint256)", all)
        },
    },
    Incident {
        name: "TeamFinance",
        monitored: &TEAM,
        artifact: "LockMigrator",
        ether: 100,
        build: |world, robber| {
            let [lock, pair, ..] = TEAM;
            let locked = [word(lock), word(pair)];
            world.call(MALLORY, robber, ETHER / 2, "lock(address,address)", &locked);
            let caw = address!("f3b9569f82b18aef890de263b84189bd33ebe452");
            call(
                "rob(address,address,address,address)",
                addresses([lock, pair, USDC, caw]),
            )
        },
    },
    Incident {
        name: "Furucombo",
        monitored: &FURUCOMBO,
        artifact: "ProxySpender",
        ether: 100,
        build: |world, _| {
            let victim = address!("13f6f084e5faded2276def5149e71811a7abeb69");
            let slot = entry(victim, U256::from(9));
            let held = world.state.accounts[&USDC].storage[&slot];
            let lending = address!("7d2768de32b0b80b7a3454c06bdac94a69ddc7a9");
            let all = addresses([FURUCOMBO[0], lending, USDC, victim]);
            let all = [all, vec![amount(held)]].concat();
            call("rob(address,address,address,address,uint256)", all)
        },
    },
];

/// Init code of a contract that has this call in it, and makes it for its deployer, with the value that comes along.
fn sealed(robber: Address, input: &[u8]) -> Bytes {
    let length = u16::try_from(input.len()).expect("short").to_be_bytes();
    let code = [
        // Without calldata it takes ether.
        &hex!("36600557005b")[..],
        // CALLER == …, else REVERT.
        &hex!("3373"),
        MALLORY.as_slice(),
        &hex!("1460255760006000fd5b"),
        // CODECOPY(0, 90, length).
        &hex!("61"),
        &length,
        &hex!("61005a600039"),
        // CALL(GAS, robber, CALLVALUE, 0, length, 0, 0), else REVERT.
        &hex!("6000600061"),
        &length,
        &hex!("60003473"),
        robber.as_slice(),
        &hex!("5af160585760006000fd5b00"),
        input,
    ]
    .concat();
    let length = u16::try_from(code.len()).expect("short").to_be_bytes();
    [&hex!("61")[..], &length, &hex!("80600c6000396000f3"), &code]
        .concat()
        .into()
}

/// What is found of it, the call of the attack in its code or to be guessed.
fn found(folder: &Path, incident: &Incident, is_sealed: bool) -> Option<Grade> {
    let mut world = world(folder.join(format!("{}.json.gz", incident.name)));
    let person = world.state.accounts.entry(MALLORY).or_default();
    person.info.balance = ether(incident.ether);
    let mut new = world.create(MALLORY, init_code(incident.artifact, &[]));
    let input = (incident.build)(&mut world, new.address);
    if is_sealed {
        new = world.create(MALLORY, sealed(new.address, &input));
    }
    for address in incident.monitored {
        world.monitor(&address.to_string(), *address);
    }
    let done = detonated(&world, &mut new.subject()).detonation;
    println!(
        "{} {}",
        incident.name,
        told(&Detonation {
            proof: None,
            ..done.clone()
        })
    );
    done.proof.map(|proof| proof.simulation.grade())
}

#[test]
fn attacks_are_found_on_the_state_that_they_met() {
    let Some(folder) = data() else {
        eprintln!("skipped: there are no incidents; set MEMPOOL_IDS_DATA");
        return;
    };
    let grades = INCIDENTS
        .iter()
        .map(|one| (one.name, found(&folder, one, true)));
    let grades: BTreeMap<_, _> = grades.collect();
    println!("{grades:?}");
    for (grade, names) in [
        (
            Grade::Proved,
            &[
                "DAOMaker",
                "Furucombo",
                "MBCToken",
                "PunkProtocol",
                "Revest",
                "Sandbox",
                "TempleDao",
            ][..],
        ),
        (Grade::Likely, &["Hundred", "QiCurve", "Rikkei", "Seaman"]),
    ] {
        for name in names {
            assert_eq!(grades[name], Some(grade), "{name}");
        }
    }
    // Two addresses are guessed; amounts of real attacks are not.
    for name in ["DAOMaker", "TempleDao"] {
        let incident = INCIDENTS
            .iter()
            .find(|one| one.name == name)
            .expect("an incident");
        assert_eq!(
            found(&folder, incident, false),
            Some(Grade::Proved),
            "{name}"
        );
    }
}
