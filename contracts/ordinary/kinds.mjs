// What kind of contract one is, by where it is kept and what it is called.
const RULES = [
  ["paymaster", /paymaster/i],
  ["bot", /flash ?loan(?!erc20|token|bridge)|flash(swap|borrower|receiver)|liquidat(or|ion)bot|keeper|upkeep|automat|arbitrag|searcher|executor$|swapadapter|liquidityadapter|repayadapter/i],
  ["multicall", /multicall|multisend|batch(er|call)/i],
  ["factory", /factory|deployer|create3/i],
  ["proxy", /proxy|beacon|clones|diamond|forwarder$/i],
  ["timelock", /timelock|delay/i],
  ["governor", /govern|voting|proposal|treasury|accessmanager|accesscontrol|aclmanager|roles/i],
  ["multisig", /multisig|gnosissafe|(^|[^a-z])safe(l2)?$|allowancemodule|socialrecovery|guard$/i],
  ["account", /account|wallet|entrypoint|aggregator(?!.*(price|feed))bls|session|signer|passkey/i],
  ["vesting", /vesting|splitter|payment|escrow|timelocked/i],
  ["distributor", /merkle|distribut|airdrop|drip|claim/i],
  ["staking", /stak|reward|masterchef|farm|gauge|incentive|rebalanc/i],
  ["oracle", /oracle|aggregator|feed|vrf|price|consumer|chainlinkclient|operator/i],
  ["bridge", /bridge|gateway|messag|lz|layerzero|oft|omni|crosschain|crossdomain|express|ism|hook|relay|warp|interchain|axelar|ccip|endpoint|tokenpool|offramp|onramp|mailbox/i],
  ["vault", /vault|4626|strategy|savings|bento|xsushi|bar$/i],
  ["router", /router|zap|swapper|quoter|adapter|permit2|migrator|positionmanager|permitter/i],
  ["amm", /pair|pool|amm|swap|curve|tick|lens/i],
  ["multitoken", /1155|6909/i],
  ["nft", /721|nft|punk|kitty/i],
  ["token", /token|erc20|coin|weth|wmatic|joe$|sushi|erc777|usdc/i],
  ["lending", /lend|loan|borrow|debt|interest|collateral|market|comptroller|reserve/i],
]; // prettier-ignore

/** The kind of a contract by its name, else by its path in the package; "other" where neither tells. */
export function kindOf(path, name) {
  const told = RULES.find(([, pattern]) => pattern.test(name)) ?? RULES.find(([, pattern]) => pattern.test(path));
  return told?.[0] ?? "other";
}
