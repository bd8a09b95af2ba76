// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VaultBuyout} from "../../src/cooperate/VaultBuyout.sol";
import {VaultIncome} from "../../src/cooperate/VaultIncome.sol";
import {VaultSale} from "../../src/cooperate/VaultSale.sol";
import {BuyoutRules, Phase, VaultSetup} from "../../src/cooperate/VaultSetup.sol";
import {VaultShares} from "../../src/cooperate/VaultShares.sol";
import {Fee, Waterfall} from "../../src/cooperate/Waterfall.sol";
import {ClearingHouse} from "../../src/transact/ClearingHouse.sol";
import {TestEuro} from "../../src/transact/TestEuro.sol";
import {Terms} from "../../src/transact/Terms.sol";
import {ITermsRefusals} from "../../src/transact/TermsRules.sol";
import {AnyVault} from "../support/AnyVault.sol";
import {Test} from "../support/Test.sol";
import {VaultFixture} from "../support/VaultFixture.sol";
import {ShadowVault} from "./ShadowVault.sol";

/// @notice Does what owners, buyers, lenders, operators, majorities and thieves do with one vault and the agreements that pay it, in any order,
/// and keeps its own books of it. It says of each action before whether it is refused and with which error.
contract VaultHandler is VaultFixture, ShadowVault {
    // actors; the vault is one, since shares may be sent to it
    uint256 private constant FOUNDER = 0;
    uint256 private constant LENDER = 3;
    uint256 private constant KEEPER = 4;
    uint256 private constant STRANGER = 5;
    uint256 private constant VAULT = 6;
    uint256 private constant MOST_AGREEMENTS = 3;
    uint128 private constant PRICE = 1000;
    uint64 private constant SALE_SECONDS = DAY;
    uint32 private constant OFFER_SECONDS = 3600;

    address[7] private _actors;
    /// @notice How often each thing happened, by its name or error selector: what never happens proves nothing.
    mapping(bytes32 what => uint256 times) public seen;

    constructor() {
        deployVaults();
        VaultSetup memory setup = saleSetup();
        setup.sale.deadline = start + SALE_SECONDS;
        setup.buyout = BuyoutRules({minBps: 5000, refusalBps: 2500, delaySeconds: OFFER_SECONDS});
        (_reserveTarget, outstandingNow, _feeBps) = (50_000, 80_000, [uint256(1000), 333]);
        _actors = [founder, anna, ben, account("lender"), account("keeper"), account("stranger"), address(0)];
        setup.waterfall = _waterfall();
        found(setup);
        _actors[VAULT] = address(vault);
        (sharesOf[FOUNDER], supply) = (10, 10);
        for (uint256 i = 0; i < VAULT; ++i) {
            vm.prank(_actors[i]);
            euro.approve(address(vault), type(uint256).max);
        }
    }

    /// @dev Time and height as this contract has them, and the act counted.
    modifier act(bytes32 name) {
        vm.warp(time);
        vm.roll(height);
        seen[name] += 1;
        _;
    }

    // --- what the fuzzer calls: agreements ------------------------------------------------------------------------------

    function open(uint256 amount) external act("open") {
        if (_agreements.length == MOST_AGREEMENTS && phaseNow != Phase.Failed) return;
        Terms memory t = siloTerms(bytes32(_agreements.length + 1));
        t.payee = address(vault);
        t.shared = true;
        (t.periodSeconds, t.periods, t.openBy) = (365 * DAY, 1, type(uint64).max);
        bytes32 id = house.hashTerms(t);
        bytes memory signed = abi.encode(t, signAccount(OPERATOR_SECRET, id));
        bytes memory call = abi.encodeCall(ClearingHouse.open, (t, signAccount(PAYER_SECRET, id), signed));
        bytes4 refusal = phaseNow == Phase.Failed ? ITermsRefusals.MachineOwnerNotParty.selector : bytes4(0);
        if (!attempt(STRANGER, address(house), call, refusal)) return;
        _agreements.push(Agreement(id, 0, 0, 0, 0));
        fund(0, amount);
    }

    function fund(uint256 which, uint256 amount) public act("fund") {
        if (_agreements.length == 0) return;
        amount = bound(amount, 0, 3_000_000);
        Agreement storage agreement = _agreements[which % _agreements.length];
        fundEuro(agreement.id, amount);
        agreement.escrow += amount;
        houseDeposits += amount;
    }

    /// @dev Any value the limit lets through, also one lower than before.
    function settle(uint256 which, uint256 register) external act("settle") {
        if (_agreements.length == 0) return;
        Agreement storage agreement = _agreements[which % _agreements.length];
        uint256 limit = 1_000_000 + (time - start) * 1_000_000 / 3600;
        register = bound(register, 0, limit < 50_000_000 ? limit : 50_000_000);
        settleSigned(valueOf(agreement.id, 0, time, register));
        _settled(agreement, register);
    }

    function credit(uint256 which) external act("credit") {
        if (_agreements.length == 0) return;
        Agreement storage agreement = _agreements[which % _agreements.length];
        house.credit(oneId(agreement.id));
        _credited(agreement);
    }

    /// @dev By vote: income that is not collected yet may go back to the payer.
    function giveBack(uint256 which, uint256 amount) external act("give back") {
        if (_agreements.length == 0) return;
        Agreement storage agreement = _agreements[which % _agreements.length];
        uint256 most = houseBalance + agreement.earned;
        amount = bound(amount, 0, most + 1);
        bytes memory call = abi.encodeCall(ClearingHouse.refund, (agreement.id, 0, amount));
        bytes4 refusal = phaseNow == Phase.Selling
            ? VaultShares.PhaseRefused.selector
            : amount > most ? ClearingHouse.BalanceInsufficient.selector : bytes4(0);
        call = abi.encodeCall(AnyVault.execute, (address(house), 0, call));
        if (!_attemptAs(_controller(), address(vault), call, refusal)) return;
        _credited(agreement);
        houseBalance -= amount;
        payerBalance += amount;
    }

    // --- what the fuzzer calls: income ------------------------------------------------------------------------------------

    function gift(uint256 amount) external act("gift") {
        amount = amount % 4 == 0 ? bound(amount, 0, 3) : bound(amount, 0, 1_000_000);
        donate(amount);
        loose += amount;
    }

    function collect(uint256 which) external act("collect") {
        bytes32[] memory ids = new bytes32[](_agreements.length == 0 ? 0 : 1 + which % _agreements.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            ids[i] = _agreements[i].id;
        }
        if (!attempt(STRANGER, address(vault), abi.encodeCall(VaultIncome.collect, (ids)), _notSelling())) return;
        for (uint256 i = 0; i < ids.length; ++i) {
            _credited(_agreements[i]);
        }
        loose += houseBalance;
        houseWithdrawals += houseBalance;
        houseBalance = 0;
        _distribute();
    }

    function distribute() external act("distribute") {
        if (!attempt(STRANGER, address(vault), abi.encodeCall(VaultIncome.distribute, ()), _notSelling())) return;
        _distribute();
    }

    /// @dev By anyone for the owner, or by the owner to another address.
    function claim(uint256 who, uint256 dice) external act("claim") {
        who = who % ACTORS;
        uint256 amount = vault.claimableOf(_actors[who]);
        bytes4 refusal = amount == 0 ? VaultIncome.NothingToClaim.selector : bytes4(0);
        bool elsewhere = dice % 4 == 0;
        uint256 to = elsewhere ? (dice >> 8) % ACTORS : who;
        uint256 before = euro.balanceOf(_actors[to]);
        bool done = elsewhere
            ? attempt(who, address(vault), abi.encodeCall(VaultIncome.claimTo, (_actors[to])), refusal)
            : attempt(STRANGER, address(vault), abi.encodeCall(VaultIncome.claim, (_actors[who])), refusal);
        if (!done) return;
        ownersPot -= amount;
        claimedOf[who] += amount;
        _paid(to, amount);
        if (to != VAULT) assertEq(euro.balanceOf(_actors[to]) - before, amount, "claimed");
    }

    function payCredit(uint256 who) external act("pay credit") {
        who = who % ACTORS;
        uint256 amount = creditOfActor[who];
        bytes4 refusal = amount == 0 ? VaultIncome.NothingToClaim.selector : bytes4(0);
        bytes memory call = abi.encodeCall(VaultIncome.payCredit, (_actors[who]));
        if (!attempt(STRANGER, address(vault), call, refusal)) return;
        creditOfActor[who] = 0;
        _paid(who, amount);
    }

    // --- what the fuzzer calls: shares ------------------------------------------------------------------------------------

    function buy(uint256 who, uint256 shares, uint256 to) external act("buy") {
        (who, to) = (who % VAULT, _receiver(to));
        uint256 left = 50 - supply;
        shares = shares % 8 == 0 ? left + 1 : bound(shares, 0, left);
        euro.mint(_actors[who], shares * PRICE);
        bytes4 refusal;
        if (phaseNow != Phase.Selling) refusal = VaultShares.PhaseRefused.selector;
        else if (time > start + SALE_SECONDS) refusal = VaultSale.SaleOver.selector;
        else if (shares == 0 || shares > left) refusal = VaultSale.SharesSoldOut.selector;
        bytes memory call = abi.encodeCall(VaultSale.buyShares, (uint128(shares), _actors[to]));
        if (!attempt(who, address(vault), call, refusal)) return;
        sharesOf[to] += shares;
        boughtOf[to] += shares;
        supply += shares;
        held += shares * PRICE;
        if (supply == 50) _endSale();
    }

    function closeSale() external act("close sale") {
        bytes4 refusal;
        if (phaseNow != Phase.Selling) refusal = VaultShares.PhaseRefused.selector;
        else if (time <= start + SALE_SECONDS) refusal = VaultSale.SaleNotOver.selector;
        if (attempt(STRANGER, address(vault), abi.encodeCall(VaultSale.closeSale, ()), refusal)) _endSale();
    }

    function refund(uint256 who) external act("refund") {
        who = who % ACTORS;
        bytes4 refusal;
        if (phaseNow != Phase.Failed) refusal = VaultShares.PhaseRefused.selector;
        else if (boughtOf[who] == 0) refusal = VaultSale.NothingBought.selector;
        bytes memory call = abi.encodeCall(VaultSale.refundShares, (_actors[who]));
        if (!attempt(STRANGER, address(vault), call, refusal)) return;
        uint256 shares = boughtOf[who];
        boughtOf[who] = 0;
        _burned(who, shares, PRICE);
    }

    function transfer(uint256 from, uint256 to, uint256 shares) external act("transfer") {
        (from, to) = (from % VAULT, _receiver(to));
        shares = shares % 3 == 0 ? sharesOf[from] : bound(shares, 0, sharesOf[from]);
        bytes4 refusal;
        if (phaseNow == Phase.Selling || phaseNow == Phase.Failed) {
            refusal = VaultShares.SharesLocked.selector;
        } else if (_offerNow.deposit + _offerNow.refuseBy != 0) {
            bool bought = phaseNow == Phase.BoughtOut;
            bool ofBuyer = from == _offerNow.offerer || (bought && to == _offerNow.offerer);
            bool refused = !bought && refusedNow(from) != 0 && sharesOf[from] < refusedNow(from) + shares;
            if (ofBuyer || refused) refusal = VaultBuyout.SharesLockedByOffer.selector;
        }
        bytes memory call = abi.encodeWithSignature("transfer(address,uint256)", _actors[to], shares);
        if (!attempt(from, address(vault), call, refusal)) return;
        sharesOf[from] -= shares;
        sharesOf[to] += shares;
    }

    // --- what the fuzzer calls: votes -------------------------------------------------------------------------------------

    function spend(uint256 amount, uint256 to, uint256 dice) external act("spend") {
        to = to % ACTORS;
        amount = bound(amount, 0, reserveNow + 1);
        bytes memory call = abi.encodeCall(AnyVault.spend, (_actors[to], amount, "purpose"));
        if (!_command(call, dice, amount > reserveNow ? AnyVault.ReserveTooSmall.selector : bytes4(0))) return;
        reserveNow -= amount;
        _paid(to, amount);
    }

    function setWaterfall(uint256 target, uint256 outstanding, uint256 dice) external act("set waterfall") {
        (uint256 target_, uint256 outstanding_, uint256[2] memory bps) = (_reserveTarget, outstandingNow, _feeBps);
        (_reserveTarget, outstandingNow) = (bound(target, 0, 200_000), bound(outstanding, 0, 200_000));
        _feeBps = [(dice >> 8) % 5001, (dice >> 32) % 5001];
        bytes memory call = abi.encodeCall(AnyVault.setWaterfall, (_waterfall()));
        (target, outstanding, _reserveTarget, outstandingNow) = (_reserveTarget, outstandingNow, target_, outstanding_);
        uint256[2] memory next = _feeBps;
        _feeBps = bps;
        if (!_command(call, dice, 0)) return;
        _distribute();
        (_reserveTarget, outstandingNow, _feeBps) = (target, outstanding, next);
    }

    /// @dev What is refused to owners, too.
    function reach(uint256 dice) external act("reach") {
        address target = [address(euro), address(vault), address(house)][dice % 3];
        bytes memory call = target == address(house)
            ? abi.encodeCall(ClearingHouse.withdraw, (address(euro), houseBalance, anna))
            : abi.encodeWithSignature("transfer(address,uint256)", anna, 1);
        call = abi.encodeCall(AnyVault.execute, (target, 0, call));
        _command(call, dice >> 8, AnyVault.TargetRefused.selector);
    }

    // --- what the fuzzer calls: buy-out -----------------------------------------------------------------------------------

    function offer(uint256 who, uint256 price) external act("offer") {
        who = who % VAULT;
        // Mostly whoever can.
        for (uint256 i = 0; price % 4 != 0 && i < VAULT; ++i) {
            if (sharesOf[i] * 2 >= supply) who = i;
        }
        price = bound(price, 0, 5000);
        uint256 deposit = (supply - sharesOf[who]) * price;
        euro.mint(_actors[who], deposit);
        bytes4 refusal;
        if (phaseNow != Phase.Live) refusal = VaultShares.PhaseRefused.selector;
        else if (_offerNow.refuseBy != 0) refusal = VaultBuyout.BuyoutStands.selector;
        else if (sharesOf[who] * 2 < supply) refusal = VaultBuyout.SharesTooFew.selector;
        if (!attempt(who, address(vault), abi.encodeCall(VaultBuyout.offerBuyout, (uint128(price))), refusal)) return;
        _offerNow = Offer(who, price, deposit, time + OFFER_SECONDS, 0);
        offers += 1;
        held += deposit;
    }

    function refuse(uint256 who, uint256 shares) external act("refuse") {
        who = who % VAULT;
        uint256 most = sharesOf[who] - _least(refusedNow(who), sharesOf[who]);
        // One too many, all, or few, so that some offers stand for a while.
        uint256 kind = shares % 6;
        shares = kind == 0 ? most + 1 : kind <= 2 ? most : _least(kind - 3, most + 1);
        bytes4 refusal = _noOffer();
        if (refusal == 0 && time > _offerNow.refuseBy) refusal = VaultBuyout.RefusalOver.selector;
        else if (refusal == 0 && (who == _offerNow.offerer || shares == 0 || shares > most)) {
            refusal = VaultBuyout.SharesTooFew.selector;
        }
        if (!attempt(who, address(vault), abi.encodeCall(VaultBuyout.refuseBuyout, (shares)), refusal)) return;
        _refusals[offers][who] += shares;
        _offerNow.refused += shares;
        if (_offerNow.refused * 4 <= supply - sharesOf[_offerNow.offerer]) return;
        seen["offer refused"] += 1;
        held -= _offerNow.deposit;
        creditOfActor[_offerNow.offerer] += _offerNow.deposit;
        delete _offerNow;
    }

    function complete() external act("complete") {
        bytes4 refusal = _noOffer();
        if (refusal == 0 && time <= _offerNow.refuseBy) refusal = VaultBuyout.RefusalNotOver.selector;
        if (!attempt(STRANGER, address(vault), abi.encodeCall(VaultBuyout.completeBuyout, ()), refusal)) return;
        _distribute();
        phaseNow = Phase.BoughtOut;
        uint256 buyer = _offerNow.offerer;
        uint256 needed = (supply - sharesOf[buyer]) * _offerNow.price;
        creditOfActor[buyer] += held - needed + reserveNow;
        (held, reserveNow) = (needed, 0);
        seen["bought out"] += 1;
    }

    function redeem(uint256 who) external act("redeem") {
        who = who % ACTORS;
        bytes4 refusal;
        if (phaseNow != Phase.BoughtOut) refusal = VaultShares.PhaseRefused.selector;
        else if (sharesOf[who] == 0 || who == _offerNow.offerer) refusal = VaultIncome.NothingToClaim.selector;
        else if (_fresh != 0) refusal = VaultBuyout.IncomeFirst.selector;
        bytes memory call = abi.encodeCall(VaultBuyout.redeem, (_actors[who]));
        if (attempt(STRANGER, address(vault), call, refusal)) _burned(who, sharesOf[who], _offerNow.price);
    }

    // --- time -------------------------------------------------------------------------------------------------------------

    function wait(uint256 elapsed) external act("wait") {
        _endBlock();
        pass(elapsed % 4 == 0 ? 0 : bound(elapsed, 0, 8000));
    }

    // --- what the invariants read -----------------------------------------------------------------------------------------

    function actorOf(uint256 index) external view returns (address) {
        return _actors[index];
    }

    function world() external view returns (AnyVault, ClearingHouse, TestEuro) {
        return (vault, house, euro);
    }

    function fresh() external view returns (uint256) {
        return _fresh;
    }

    // --- inside -----------------------------------------------------------------------------------------------------------

    function attempt(uint256 who, address target, bytes memory call, bytes4 refusal) private returns (bool) {
        return _attemptAs(_actors[who], target, call, refusal);
    }

    /// @dev Sends `call`, which must succeed, or be refused with `refusal` if that is not zero.
    function _attemptAs(address sender, address target, bytes memory call, bytes4 refusal) private returns (bool done) {
        bytes memory answer;
        vm.prank(sender);
        (done, answer) = target.call(call);
        assertEq(done ? bytes4(0) : bytes4(answer), refusal, "refusal");
        if (!done) seen[refusal] += 1;
    }

    /// @dev By who may, or sometimes by who may not.
    function _command(bytes memory call, uint256 dice, bytes4 refusal) private returns (bool) {
        address sender = dice % 4 == 0 ? _actors[(dice >> 2) % VAULT] : _controller();
        if (phaseNow == Phase.Selling) refusal = VaultShares.PhaseRefused.selector;
        else if (sender != _controller()) refusal = AnyVault.NotController.selector;
        return _attemptAs(sender, address(vault), call, refusal);
    }

    function _controller() private view returns (address) {
        if (phaseNow == Phase.Failed) return founder;
        return phaseNow == Phase.BoughtOut ? _actors[_offerNow.offerer] : timelock;
    }

    function _notSelling() private view returns (bytes4) {
        return phaseNow == Phase.Selling ? VaultShares.PhaseRefused.selector : bytes4(0);
    }

    function _noOffer() private view returns (bytes4) {
        if (phaseNow != Phase.Live) return VaultShares.PhaseRefused.selector;
        return _offerNow.refuseBy == 0 ? VaultBuyout.NoBuyoutOffer.selector : bytes4(0);
    }

    function _waterfall() private view returns (Waterfall memory) {
        Fee[] memory list = fees(_actors[KEEPER], uint16(_feeBps[0]), founder, uint16(_feeBps[1]));
        return waterfallOf(uint128(_reserveTarget), _actors[LENDER], uint128(outstandingNow), list);
    }

    function _distribute() private {
        _distributed(phaseNow == Phase.BoughtOut ? _offerNow.offerer : FOUNDER, LENDER, [KEEPER, FOUNDER]);
    }

    /// @dev Seldom the vault: what it has, it never gives back.
    function _receiver(uint256 dice) private pure returns (uint256) {
        return dice % 64 == 0 ? VAULT : (dice >> 6) % VAULT;
    }

    /// @dev What is paid to the vault itself is income again.
    function _paid(uint256 to, uint256 amount) private {
        payouts += amount;
        if (to == VAULT) loose += amount;
    }

    function _endSale() private {
        if (supply - 10 < 25) {
            phaseNow = Phase.Failed;
            seen["sale failed"] += 1;
            return;
        }
        phaseNow = Phase.Live;
        seen["sale succeeded"] += 1;
        creditOfActor[FOUNDER] += held;
        held = 0;
    }

    function _burned(uint256 who, uint256 shares, uint256 price) private {
        sharesOf[who] -= shares;
        supply -= shares;
        held -= shares * price;
        if (who == VAULT) loose += shares * price;
    }
}

/// @notice A vault and the clearing house that pays it against the shadow ledger of both, after every call.
contract VaultMoneyTest is Test {
    error NeverHappened(uint256 index, bytes32 what);

    VaultHandler private handler;
    AnyVault private vault;
    ClearingHouse private house;
    TestEuro private euro;

    function setUp() public {
        handler = new VaultHandler();
        (vault, house, euro) = handler.world();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev One function, since the runner makes all its runs anew for each.
    function invariant_INV01_02_03_11_12_VaultAndHouseEqualTheShadowLedger() public view {
        _vaultEqualsTheShadowLedger();
        _ownersHaveWhatTheyEarned();
        _houseEqualsTheShadowLedger();
    }

    /// @dev What never happens proves nothing.
    function test_TheVaultHandlerReachesEveryActionAndRefusal() public {
        bytes32[] memory needed = _needed();
        uint256[] memory times = new uint256[](needed.length);
        uint256 dice = 1;
        for (uint256 world = 0; world < 24; ++world) {
            setUp();
            for (uint256 i = 0; i < 250; ++i) {
                dice = uint256(keccak256(abi.encode(dice)));
                uint256 action = dice % 28;
                // In a third of the worlds nobody completes an offer, so that some refuse it too late.
                if (world % 3 == 0 && (action == 19 || action >= 26)) action = 18;
                _act(action, dice >> 8, dice >> 80, dice >> 160);
                // Half of the worlds sell all shares soon.
                if (world % 2 == 0 && i == 20) handler.buy(1, 50 - handler.supply(), dice);
            }
            invariant_INV01_02_03_11_12_VaultAndHouseEqualTheShadowLedger();
            for (uint256 i = 0; i < needed.length; ++i) {
                times[i] += handler.seen(needed[i]);
            }
        }
        for (uint256 i = 0; i < needed.length; ++i) {
            if (times[i] == 0) revert NeverHappened(i, needed[i]);
        }
    }

    function _needed() private pure returns (bytes32[] memory all) {
        bytes4[18] memory refusals = [
            VaultShares.PhaseRefused.selector,
            VaultShares.SharesLocked.selector,
            VaultSale.SaleOver.selector,
            VaultSale.SaleNotOver.selector,
            VaultSale.SharesSoldOut.selector,
            VaultSale.NothingBought.selector,
            VaultIncome.NothingToClaim.selector,
            AnyVault.NotController.selector,
            AnyVault.ReserveTooSmall.selector,
            AnyVault.TargetRefused.selector,
            VaultBuyout.BuyoutStands.selector,
            VaultBuyout.NoBuyoutOffer.selector,
            VaultBuyout.SharesTooFew.selector,
            VaultBuyout.RefusalOver.selector,
            VaultBuyout.RefusalNotOver.selector,
            VaultBuyout.SharesLockedByOffer.selector,
            ClearingHouse.BalanceInsufficient.selector,
            ITermsRefusals.MachineOwnerNotParty.selector
        ];
        bytes32[4] memory outcomes =
            [bytes32("sale failed"), "sale succeeded", "offer refused", "bought out"];
        all = new bytes32[](22);
        for (uint256 i = 0; i < 18; ++i) {
            all[i] = refusals[i];
        }
        for (uint256 i = 0; i < 4; ++i) {
            all[18 + i] = outcomes[i];
        }
    }

    function _act(uint256 action, uint256 a, uint256 b, uint256 c) private {
        if (action == 0) handler.open(a);
        if (action == 1) handler.fund(a, b);
        if (action == 2) handler.settle(a, b);
        if (action == 3) handler.credit(a);
        if (action == 4) handler.giveBack(a, b);
        if (action == 5) handler.gift(a);
        if (action == 6) handler.collect(a);
        if (action == 7) handler.distribute();
        if (action == 8) handler.claim(a, b);
        if (action == 9) handler.payCredit(a);
        if (action == 10 && c % 4 == 0) handler.buy(a, b, c >> 2);
        if (action == 11) handler.closeSale();
        if (action == 12) handler.refund(a);
        if (action == 13) handler.transfer(a, b, c);
        if (action == 14) handler.spend(a, b, c);
        if (action == 15) handler.setWaterfall(a, b, c);
        if (action == 16) handler.reach(a);
        if (action == 17 || action == 25) handler.offer(a, b);
        if (action == 18) handler.refuse(a, b);
        if (action == 19 || action >= 26) handler.complete();
        if (action == 20) handler.redeem(a);
        if (action >= 21 && action < 25) handler.wait(a);
    }

    // --- the invariants ---------------------------------------------------------------------------------------------------

    function _vaultEqualsTheShadowLedger() private view {
        assertEq(uint256(vault.phase()), uint256(handler.phaseNow()), "phase");
        assertEq(vault.totalSupply(), handler.supply(), "supply");
        assertEq(vault.reserve(), handler.reserveNow(), "reserve");
        assertEq(vault.waterfall().outstanding, handler.outstandingNow(), "outstanding");
        assertEq(vault.accounted(), handler.accountedNow(), "accounted");
        assertEq(vault.undistributed(), handler.loose(), "undistributed");
        assertEq(euro.balanceOf(address(vault)), handler.accountedNow() + handler.loose(), "tokens on the vault");
        uint256 votes = 0;
        for (uint256 i = 0; i < handler.ACTORS(); ++i) {
            address actor = handler.actorOf(i);
            assertEq(vault.balanceOf(actor), handler.sharesOf(i), "shares");
            assertEq(vault.boughtBy(actor), handler.boughtOf(i), "bought");
            assertEq(vault.creditOf(actor), handler.creditOfActor(i), "credit");
            assertEq(vault.refusedBy(actor), handler.refusedNow(i), "refused");
            votes += vault.getVotes(actor);
        }
        assertEq(votes, handler.supply(), "every share votes once");
        VaultHandler.Offer memory offer = handler.offerNow();
        assertEq(vault.buyoutOffer().refuseBy, offer.refuseBy, "offer");
        assertEq(vault.buyoutOffer().refused, offer.refused, "refused of the offer");
    }

    /// @dev Nobody has more than he earned, nor a whole unit less; nothing is lost but what is carried.
    function _ownersHaveWhatTheyEarned() private view {
        uint256 sum = 0;
        for (uint256 i = 0; i < handler.ACTORS(); ++i) {
            uint256 claimable = vault.claimableOf(handler.actorOf(i));
            uint256 earned = handler.earnedOf(i);
            uint256 has = handler.claimedOf(i) + claimable;
            assertTrue(has <= earned, "not more than earned");
            assertTrue(earned - has <= 1, "not a unit less but for a fraction");
            sum += claimable;
        }
        uint256 carried = handler.ownersPot() - sum - handler.fresh();
        assertTrue(carried <= handler.ACTORS(), "less than a unit an owner, and one carried");
    }

    function _houseEqualsTheShadowLedger() private view {
        uint256 sum = handler.houseBalance() + handler.payerBalance();
        for (uint256 i = 0; i < handler.agreementCount(); ++i) {
            VaultHandler.Agreement memory agreement = handler.agreementOf(i);
            assertEq(house.escrowOf(agreement.id), agreement.escrow, "escrow");
            assertEq(house.accruedOf(agreement.id), agreement.earned, "earned");
            assertEq(house.ownerOf(uint256(agreement.id)), address(vault), "position");
            sum += agreement.escrow + agreement.earned;
        }
        assertEq(house.balanceOfAsset(address(vault), address(euro)), handler.houseBalance(), "balance at the house");
        assertEq(euro.balanceOf(address(house)), sum, "tokens at the house");
        assertEq(sum, handler.houseDeposits() - handler.houseWithdrawals(), "deposits - withdrawals");
    }
}
