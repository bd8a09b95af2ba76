// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {Accounts} from "../../src/transact/Accounts.sol";
import {ClearingHouse} from "../../src/transact/ClearingHouse.sol";
import {Deposits} from "../../src/transact/Deposits.sol";
import {Settlement} from "../../src/transact/Settlement.sol";
import {TestEuro} from "../../src/transact/TestEuro.sol";
import {Adjustment, Funding, Limit, Meter, MeterValue, SkipReason, Status, Terms} from "../../src/transact/Terms.sol";
import {MachineRegistry} from "../../src/trust/MachineRegistry.sol";
import {HugeOwed, Reverting} from "../hostile/Tariffs.sol";
import {ContractWallet} from "../support/ContractWallet.sol";
import {Log, Test} from "../support/Test.sol";
import {Cast} from "./Cast.sol";
import {ShadowLedger} from "./ShadowLedger.sol";
import {Deploy} from "../support/Deploy.sol";

/// @notice Does what payers, payees, buyers, relayers, thieves and liars do, in any order, and keeps its own books of it. It says of each
/// action before whether it is refused and with which error, and of each settled item what it pays or why it is skipped.
contract MoneyHandler is Cast, ShadowLedger {
    /// @dev What becomes of an item of a batch.
    struct Verdict {
        uint256 reason;
        uint256 paid;
    }

    uint256 private constant MOST_AGREEMENTS = 8;
    uint256 private constant PAYS = type(uint256).max;
    uint256 private constant SINGLY = type(uint256).max;
    uint256 private constant LATE = 7200;
    uint256 private constant SETTLE = 86_400;
    uint256 private constant BURST = 1_000_000;
    // tariffs
    uint256 private constant LINEAR = 0;
    uint256 private constant PLAN = 1;
    uint256 private constant FAILING = 2;
    uint256 private constant HUGE = 3;

    TestEuro[2] private _assets;
    address[4] private _tariffs;
    address[4] private _actors;
    address private _stranger = account("stranger");
    uint256 private _clock;
    uint256 private _salt;

    constructor() {
        deployWorld();
        castActors();
        _assets = [euro, Deploy.testEuro()];
        _actors = [payer, payee, account("buyer"), address(new ContractWallet(payer))];
        _tariffs =
            [address(linear), address(Deploy.planTariff()), address(new Reverting()), address(new HugeOwed())];
        _clock = start;
        vm.warp(_clock);
    }

    // --- what the fuzzer calls ------------------------------------------------------------------------------------

    function open(uint256 signer, uint256 dice, uint256 cap) external {
        if (_books.length == MOST_AGREEMENTS) return;
        Book memory book;
        book.signer = signer % SIGNERS;
        book.asset = dice % 2;
        book.payer = _actors[(dice >> 8) % 4 == 0 ? 3 : 0];
        book.owner = payee;
        uint256 tariff = (dice >> 16) % 8;
        book.tariff = book.signer == NOBODY ? PLAN : tariff < 4 ? LINEAR : tariff < 6 ? PLAN : tariff - 4;
        book.cap = bound(cap, 0, 30_000_000);
        Terms memory t = _termsFor(book);
        book.id = house.hashTerms(t);
        (, uint256 most) = _owed(book, 25 * BURST, DAY);
        book.most = most < book.cap ? most : book.cap;
        book.open = true;
        // One of the parties sends it, or neither.
        address sender = (dice >> 24) % 3 == 0 ? payee : (dice >> 24) % 3 == 1 ? book.payer : _stranger;
        bytes memory payerAuth = sender == book.payer ? bytes("") : signAccount(PAYER_SECRET, book.id);
        bytes memory payeeAuth = sender == payee ? bytes("") : signAccount(PAYEE_SECRET, book.id);
        bytes memory call = abi.encodeCall(ClearingHouse.open, (t, payerAuth, payeeAuth));
        attempt(sender, address(house), call, 0);
        attempt(sender, address(house), call, ClearingHouse.AgreementExists.selector);
        _openBook(book);
        seen[bytes32(bytes.concat("signer ", bytes1(uint8(48 + book.signer))))] += 1;
    }

    /// @dev By allowance, by signature, by permit, by ERC-3009; the same again counts only where it moves money anew.
    function fund(uint256 which, uint256 amount, uint256 how) external {
        if (_books.length == 0) return;
        Book storage book = _pick(which);
        amount = bound(amount, 0, 20_000_000);
        bytes4 refusal = book.open ? bytes4(0) : Accounts.AgreementNotOpen.selector;
        how = how % 5;
        address from = how < 2 ? _actors[(which >> 128) % 4] : how == 2 ? _actors[3] : payer;
        _assets[book.asset].mint(from, 2 * amount);
        (bytes memory call, bytes4 again) = how == 0
            ? _approved(book, from, amount)
            : how < 4 ? _signedFunding(book, from, amount, how) : _authorized(book, amount);
        address sender = how < 2 ? from : _stranger;
        if (!attempt(sender, address(house), call, refusal)) return;
        _deposit(book, amount);
        seen[bytes32(bytes.concat("fund ", bytes1(uint8(48 + how))))] += 1;
        if (attempt(sender, address(house), call, again)) _deposit(book, amount);
    }

    /// @dev A batch of three: a value, the same again, and a lie.
    function settle(uint256 which, uint32 period, uint256 register, uint256 lie) external {
        if (_books.length == 0) return;
        Book storage book = _pick(which);
        MeterValue[] memory values = new MeterValue[](3);
        bytes[] memory signatures = new bytes[](3);
        Verdict[] memory verdicts = new Verdict[](3);
        values[0] = _honest(book, period, register);
        values[1] = values[0];
        values[2] = _lie(values[0], lie);
        bool forged = (lie >> 8) % 4 == 0;
        for (uint256 i = 0; i < 3; ++i) {
            bool good = i < 2 || !forged;
            signatures[i] = good
                ? signAsSigner(book.signer, valueDigest(values[i]))
                : signBadly(book.signer, valueDigest(values[i]), lie >> 16);
            verdicts[i] = _judge(values[i], good, SINGLY);
        }
        vm.recordLogs();
        vm.prank(_actors[lie % 4]);
        house.settle(values, signatures);
        _compare(values, verdicts);
    }

    /// @dev A batch of up to three agreements, whoever they name.
    function settleAttested(uint256 which, uint256 attestor, uint32 period, uint256 register, uint256 lie) external {
        if (_books.length == 0) return;
        attestor = attestor % (SIGNERS + 1);
        MeterValue[] memory values = new MeterValue[](4);
        for (uint256 i = 0; i < 3; ++i) {
            values[i] = _honest(_pick((which % MOST_AGREEMENTS) + i), period, register >> i);
        }
        values[3] = _lie(values[lie % 3], lie);
        bool good = (lie >> 8) % 8 != 0 && attestor <= ACCOUNT && canSign(attestor);
        bytes memory call = _attested(values, attestor, (lie >> 8) % 8 != 0);
        if (!good) {
            attempt(_stranger, address(house), call, Settlement.AttestationInvalid.selector);
            return;
        }
        Verdict[] memory verdicts = new Verdict[](4);
        for (uint256 i = 0; i < 4; ++i) {
            verdicts[i] = _judge(values[i], true, attestor);
        }
        vm.recordLogs();
        attempt(_stranger, address(house), call, 0);
        _compare(values, verdicts);
    }

    function collect(uint256 which, uint32 period) external {
        if (_books.length == 0) return;
        Book storage book = _pick(which);
        period = period % (PERIODS + 1);
        bytes4 refusal = book.open ? bytes4(0) : Accounts.AgreementNotOpen.selector;
        bytes memory call = abi.encodeCall(ClearingHouse.collect, (book.id, onePeriod(period)));
        if (!attempt(_stranger, address(house), call, refusal)) return;
        if (arrears(book) != 0 && book.escrow != 0) seen["collect"] += 1;
        if (period < PERIODS) _collect(book, period);
    }

    function adjust(uint256 which, uint32 period, uint256 amount, uint256 lie) external {
        if (_books.length == 0) return;
        Book storage book = _pick(which);
        period = period % (PERIODS + 1);
        uint256 room = period < PERIODS ? book.most - proven(book, period) : 0;
        amount = lie % 8 == 1 ? 0 : bound(amount, 1, room + 1);
        Adjustment memory a = Adjustment(book.id, period, amount, "late evidence");
        bytes32 digest = adjustmentDigest(address(house), a);
        bool good = lie % 8 != 0 && book.signer != NOBODY;
        bytes memory signature = good ? signAsSigner(book.signer, digest) : signBadly(book.signer, digest, lie >> 8);
        bytes4 refusal = _refusalOf(book, a, good && canSign(book.signer));
        bytes memory call = abi.encodeCall(Settlement.adjust, (a, signature));
        if (!attempt(_stranger, address(house), call, refusal)) return;
        attempt(_stranger, address(house), call, Settlement.AdjustmentExists.selector);
        _adjust(book, period, a.amount);
        seen["adjust"] += 1;
    }

    function refund(uint256 which, uint32 period, uint256 amount, uint256 who) external {
        if (_books.length == 0) return;
        Book storage book = _pick(which);
        period = period % (PERIODS + 1);
        address sender = who % 8 == 0 ? _stranger : book.owner;
        uint256 have = balance[book.owner][book.asset] + book.earned;
        amount = bound(amount, 0, have + 1);
        bytes4 refusal = sender != book.owner
            ? ClearingHouse.NotPositionOwner.selector
            : period == PERIODS
            ? Settlement.PeriodUnknown.selector
            : amount > have ? ClearingHouse.BalanceInsufficient.selector : bytes4(0);
        bytes memory call = abi.encodeCall(ClearingHouse.refund, (book.id, period, amount));
        if (!attempt(sender, address(house), call, refusal)) return;
        _credit(book);
        balance[book.owner][book.asset] -= amount;
        balance[book.payer][book.asset] += amount;
        if (amount != 0) seen["refund"] += 1;
    }

    function credit(uint256 which) external {
        if (_books.length == 0) return;
        Book storage book = _pick(which);
        bytes32[] memory ids = new bytes32[](2);
        ids[0] = book.id;
        ids[1] = book.id;
        house.credit(ids);
        if (book.earned != 0) seen["credit"] += 1;
        _credit(book);
    }

    function transfer(uint256 which, uint256 to) external {
        if (_books.length == 0) return;
        Book storage book = _pick(which);
        address buyer = _actors[to % 4];
        vm.prank(book.owner);
        house.transferFrom(book.owner, buyer, uint256(book.id));
        if (book.earned != 0) seen["transfer"] += 1;
        _credit(book);
        book.owner = buyer;
    }

    function withdraw(uint256 who, uint256 asset, uint256 amount) external {
        address actor = _actors[who % 4];
        asset = asset % 2;
        uint256 have = balance[actor][asset];
        amount = bound(amount, 0, have + 1);
        bytes4 refusal = amount > have ? ClearingHouse.BalanceInsufficient.selector : bytes4(0);
        bytes memory call =
            abi.encodeCall(ClearingHouse.withdraw, (address(_assets[asset]), amount, account("bank")));
        if (!attempt(actor, address(house), call, refusal)) return;
        balance[actor][asset] -= amount;
        withdrawals[asset] += amount;
        if (amount != 0) seen["withdraw"] += 1;
    }

    /// @dev Seldom where it would succeed, else nothing much would stay open.
    function close(uint256 which, uint256 who, uint256 dice) external {
        if (_books.length == 0) return;
        Book storage book = _pick(which);
        address sender = who % 2 == 0 ? book.owner : _stranger;
        uint256 end = uint256(start) + DAY * uint256(PERIODS) + LATE + SETTLE;
        bytes4 refusal = !book.open
            ? Accounts.AgreementNotOpen.selector
            : sender != book.owner && _clock <= end
            ? ClearingHouse.CloseTooEarly.selector
            : book.escrow != 0 && arrears(book) != 0 ? ClearingHouse.ArrearsOpen.selector : bytes4(0);
        if (refusal == 0 && dice % 4 != 0) return;
        bytes memory call = abi.encodeCall(ClearingHouse.close, (book.id));
        if (!attempt(sender, address(house), call, refusal)) return;
        _close(book);
        seen["close"] += 1;
    }

    function pass(uint256 time) external {
        _clock += bound(time, 0, DAY / 2);
        vm.warp(_clock);
    }

    // --- what the invariants read ---------------------------------------------------------------------------------

    function assetOf(uint256 index) external view returns (TestEuro) {
        return _assets[index];
    }

    function actorOf(uint256 index) external view returns (address) {
        return _actors[index];
    }

    function houseAddress() external view returns (address) {
        return address(house);
    }

    // --- what must become of an item ------------------------------------------------------------------------------

    /// @dev In the order of the rules: docs/protocol/agreement.md. What pays is entered into the books.
    /// @param attestor who signed the whole batch, SINGLY if each value has a signature
    function _judge(MeterValue memory v, bool good, uint256 attestor) private returns (Verdict memory verdict) {
        uint256 place = _place(v.agreementId);
        if (place == 0 || !_books[place - 1].open) return _skip(SkipReason.NOT_OPEN);
        Book storage book = _books[place - 1];
        if (v.period >= PERIODS) return _skip(SkipReason.PERIOD_UNKNOWN);
        uint256 from = uint256(start) + v.period * DAY;
        if (v.asOf < from || v.asOf > from + DAY) return _skip(SkipReason.AS_OF_OUTSIDE_PERIOD);
        if (v.asOf > _clock) return _skip(SkipReason.AS_OF_IN_FUTURE);
        if (v.registers.length != (book.signer == NOBODY ? 0 : 1)) return _skip(SkipReason.REGISTER_COUNT);
        uint256 register = v.registers.length == 0 ? 0 : v.registers[0];
        if (register > _limit(v.asOf - from)) return _skip(SkipReason.RATE_BOUND);
        if (attestor != SINGLY) {
            if (attestor != book.signer) return _skip(SkipReason.SIGNER_DIFFERS);
        } else {
            if (!canSign(book.signer)) return _skip(SkipReason.SIGNER_NOT_ACTIVE);
            if (!good || (book.signer == NOBODY && v.evidenceHead != 0)) return _skip(SkipReason.SIGNATURE_INVALID);
        }
        (bool ok, uint256 owed) = _owed(book, register, v.asOf - from);
        if (!ok) return _skip(SkipReason.TARIFF_FAILED);
        if (owed >= 1 << 96) return _skip(SkipReason.AMOUNT_TOO_LARGE);
        verdict.reason = PAYS;
        verdict.paid = _settle(book, v.period, owed < book.cap ? owed : book.cap);
        if (verdict.paid != 0) seen["pays"] += 1;
        if (proven(book, v.period) > paid[book.id][v.period]) seen["short"] += 1;
        if (attestor != SINGLY) seen["attested"] += 1;
    }

    function _skip(SkipReason reason) private returns (Verdict memory) {
        seen[bytes32(uint256(reason))] += 1;
        return Verdict(uint256(reason), 0);
    }

    function _refusalOf(Book storage book, Adjustment memory a, bool good) private view returns (bytes4) {
        if (!book.open) return Accounts.AgreementNotOpen.selector;
        if (a.period == PERIODS) return Settlement.PeriodUnknown.selector;
        if (_clock <= uint256(start) + DAY * (uint256(a.period) + 1) + LATE) return Settlement.AdjustTooEarly.selector;
        if (a.amount == 0) return Settlement.AdjustmentZero.selector;
        if (added[book.id][a.period] != 0) return Settlement.AdjustmentExists.selector;
        if (!good) return Settlement.AdjustmentNotSigned.selector;
        bool fits = proven(book, a.period) + a.amount <= book.most;
        return fits ? bytes4(0) : Settlement.AdjustmentTooLarge.selector;
    }

    /// @dev Each item of a batch left one event, in order: what it was paid, or why not.
    function _compare(MeterValue[] memory values, Verdict[] memory verdicts) private {
        Log[] memory logs = vm.getRecordedLogs();
        uint256 next = 0;
        for (uint256 i = 0; i < logs.length; ++i) {
            bytes32 topic = logs[i].topics[0];
            if (topic != Settlement.Settled.selector && topic != Settlement.Skipped.selector) continue;
            assertTrue(next < values.length, "one event an item");
            assertEq(logs[i].topics[1], values[next].agreementId, "whose event");
            Verdict memory verdict = verdicts[next];
            if (topic == Settlement.Settled.selector) {
                (,,,, uint256 now_,) =
                    abi.decode(logs[i].data, (uint64, uint256[], bytes32, uint256, uint256, uint256));
                assertEq(verdict.reason, PAYS, "settled");
                assertEq(now_, verdict.paid, "paid now");
            } else {
                (, uint8 reason) = abi.decode(logs[i].data, (uint32, uint8));
                assertEq(uint256(reason), verdict.reason, "skip reason");
            }
            next += 1;
        }
        assertEq(next, values.length, "an event of each item");
    }

    // --- agreements -----------------------------------------------------------------------------------------------

    function _pick(uint256 which) private view returns (Book storage) {
        return _books[which % _books.length];
    }

    function _termsFor(Book memory book) private view returns (Terms memory t) {
        t = siloTerms(bytes32(_books.length + 1));
        t.payer = book.payer;
        t.asset = address(_assets[book.asset]);
        t.periods = PERIODS;
        t.lateSeconds = uint32(LATE);
        t.settleSeconds = uint32(SETTLE);
        t.shared = true;
        t.openBy = type(uint64).max;
        t.capMinor = book.cap;
        (t.signerKind, t.signer) = signerTerms(book.signer);
        t.tariff = _tariffs[book.tariff];
        if (book.signer == NOBODY) {
            t.meters = new Meter[](0);
            t.limits = new Limit[](0);
        }
        if (book.tariff != PLAN) return t;
        uint256[] memory prices = new uint256[](t.limits.length);
        if (prices.length == 1) prices[0] = 7;
        t.tariffData = abi.encode(prices, uint8(1), uint256(1_234_567), uint32(7200), uint256(5000), uint256(15_000_000));
    }

    function _limit(uint256 elapsed) private pure returns (uint256) {
        return BURST + BURST * elapsed / 3600;
    }

    /// @dev A plan: 0.7 a unit and 1,234,567 each 7,200 s, at least 5,000 and at most 15,000,000.
    function _owed(Book memory book, uint256 register, uint256 elapsed) private pure returns (bool ok, uint256 amount) {
        if (book.tariff == FAILING) return (false, type(uint256).max);
        if (book.tariff == HUGE) return (true, 1 << 96);
        if (book.tariff == LINEAR) return (true, register);
        if (book.signer == NOBODY) register = 0;
        amount = (register * 7 * 720 + 1_234_567 * elapsed) / 7200;
        if (amount < 5000) amount = 5000;
        return (true, amount < 15_000_000 ? amount : 15_000_000);
    }

    // --- values ---------------------------------------------------------------------------------------------------

    /// @dev As of now, or the period's nearest end.
    function _honest(Book memory book, uint32 period, uint256 register) private view returns (MeterValue memory value) {
        period = period % PERIODS;
        uint256 from = uint256(start) + period * DAY;
        uint256 asOf = _clock < from ? from : (_clock > from + DAY ? from + DAY : _clock);
        value = valueOf(book.id, period, asOf, bound(register, 0, _limit(asOf - from)));
        if (book.signer != NOBODY) return value;
        value.registers = new uint256[](0);
        value.evidenceHead = 0;
    }

    /// @dev Another value in one respect: some of them are true all the same.
    function _lie(MeterValue memory honest, uint256 how) private view returns (MeterValue memory value) {
        how = how % 8;
        value = MeterValue(honest.agreementId, honest.period, honest.asOf, honest.registers, honest.evidenceHead);
        if (how == 0) value.agreementId = "unknown";
        if (how == 1) value.period = PERIODS;
        if (how == 2) value.asOf += DAY + 1;
        if (how == 3) value.asOf = uint64(_clock + 1);
        if (how == 4) value.registers = new uint256[](2);
        if (how >= 5 && honest.registers.length == 1) {
            value.registers = new uint256[](1);
            value.registers[0] = how == 5 ? honest.registers[0] + 26 * BURST : honest.registers[0] + 1;
        }
        if (how == 7) value.evidenceHead = "another head";
    }

    function _attested(
        MeterValue[] memory values,
        uint256 attestor,
        bool good
    ) private view returns (bytes memory) {
        // A kind that there is not; quorums and nobody cannot attest either.
        (uint8 kind, bytes32 id) = attestor == SIGNERS ? (uint8(9), bytes32(0)) : signerTerms(attestor);
        bytes32 digest = valuesDigest(address(house), values);
        bytes memory signature;
        if (attestor != SIGNERS) signature = good ? signAsSigner(attestor, digest) : signBadly(attestor, digest, 0);
        return abi.encodeCall(Settlement.settleAttested, (values, kind, id, signature));
    }

    // --- funding --------------------------------------------------------------------------------------------------

    function _approve(Book memory book, address from, uint256 amount) private {
        vm.prank(from);
        _assets[book.asset].approve(address(house), amount);
    }

    /// @dev Each of these says with which error the same call is refused a second time.
    function _approved(Book memory book, address from, uint256 amount) private returns (bytes memory, bytes4) {
        _approve(book, from, 2 * amount);
        return (abi.encodeCall(Deposits.fund, (book.id, amount)), 0);
    }

    function _signedFunding(
        Book memory book,
        address from,
        uint256 amount,
        uint256 how
    ) private returns (bytes memory, bytes4) {
        Funding memory funding = Funding(book.id, from, amount, bytes32(++_salt), FAR);
        bytes memory auth = how == 1 ? bytes("") : signAccount(PAYER_SECRET, fundingDigest(address(house), funding));
        bytes memory permit;
        if (how == 3) permit = _permitOf(_assets[book.asset], amount, _salt % 2 == 0);
        else _approve(book, from, 2 * amount);
        return (abi.encodeCall(Deposits.fundSigned, (funding, auth, permit)), Deposits.FundingUsed.selector);
    }

    function _permitOf(TestEuro token, uint256 amount, bool spentBefore) private returns (bytes memory) {
        bytes32 digest = permitDigest(address(token), payer, address(house), amount, token.nonces(payer));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYER_SECRET, digest);
        if (spentBefore) token.permit(payer, address(house), amount, FAR, v, r, s);
        return abi.encode(FAR, v, r, s);
    }

    function _authorized(Book memory book, uint256 amount) private returns (bytes memory, bytes4) {
        bytes32 salt = bytes32(++_salt);
        bytes32 nonce = keccak256(abi.encode(book.id, salt));
        address token = address(_assets[book.asset]);
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(PAYER_SECRET, authorizationDigest(token, payer, address(house), amount, nonce));
        return (
            abi.encodeCall(Deposits.fundWithAuthorization, (book.id, payer, amount, 0, FAR, salt, v, r, s)),
            ERC3009.ERC3009UsedAuthorization.selector
        );
    }
}

/// @notice INV-1, 2, 3, 6, 7 and 8 against a shadow ledger, after every action.
contract MoneyInvariants is Test {
    MoneyHandler private handler;
    ClearingHouse private house;

    error NeverHappened(uint256 index, bytes32 what);

    function setUp() public {
        handler = new MoneyHandler();
        house = ClearingHouse(handler.houseAddress());
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev One function, since the runner makes all its runs anew for each.
    function invariant_INV01_02_03_06_07_08_MoneyEqualsTheShadowLedger() public view {
        _tokensCoverEscrowEarningsAndBalances();
        _everyAccountEqualsTheShadowLedger();
        _periodsEqualTheShadowLedgerWithinCapAndFunds();
    }

    /// @dev What never happens proves nothing.
    function test_TheHandlerReachesEveryActionReasonAndRefusal() public {
        bytes32[] memory needed = _needed();
        uint256[] memory times = new uint256[](needed.length);
        uint256 dice = 1;
        for (uint256 world = 0; world < 12; ++world) {
            setUp();
            for (uint256 i = 0; i < 250; ++i) {
                dice = uint256(keccak256(abi.encode(dice)));
                _act(dice % 14, dice >> 8);
            }
            invariant_INV01_02_03_06_07_08_MoneyEqualsTheShadowLedger();
            for (uint256 i = 0; i < needed.length; ++i) {
                times[i] += handler.seen(needed[i]);
            }
        }
        for (uint256 i = 0; i < needed.length; ++i) {
            if (times[i] == 0) revert NeverHappened(i, needed[i]);
        }
    }

    /// @dev Every skip reason, every refusal that the handler foresees, every way to open, fund and move money, every change of a key.
    function _needed() private pure returns (bytes32[] memory all) {
        bytes4[18] memory refusals = [
            ClearingHouse.AgreementExists.selector,
            ClearingHouse.NotPositionOwner.selector,
            ClearingHouse.BalanceInsufficient.selector,
            ClearingHouse.CloseTooEarly.selector,
            ClearingHouse.ArrearsOpen.selector,
            Accounts.AgreementNotOpen.selector,
            Deposits.FundingUsed.selector,
            ERC3009.ERC3009UsedAuthorization.selector,
            Settlement.AttestationInvalid.selector,
            Settlement.PeriodUnknown.selector,
            Settlement.AdjustTooEarly.selector,
            Settlement.AdjustmentZero.selector,
            Settlement.AdjustmentExists.selector,
            Settlement.AdjustmentNotSigned.selector,
            Settlement.AdjustmentTooLarge.selector,
            MachineRegistry.MachineHasNoKey.selector,
            MachineRegistry.MachineHasKey.selector,
            MachineRegistry.StateRefused.selector
        ];
        bytes32[13] memory actions = [
            bytes32("pays"),
            "short",
            "attested",
            "collect",
            "adjust",
            "refund",
            "credit",
            "transfer",
            "withdraw",
            "close",
            "revoke",
            "rekey",
            "rotate"
        ];
        uint256 reasons = uint256(type(SkipReason).max) + 1;
        all = new bytes32[](reasons + 18 + 13 + 10);
        uint256 next = 0;
        for (uint256 i = 0; i < reasons; ++i) {
            all[next++] = bytes32(i);
        }
        for (uint256 i = 0; i < 18; ++i) {
            all[next++] = refusals[i];
        }
        for (uint256 i = 0; i < 13; ++i) {
            all[next++] = actions[i];
        }
        for (uint256 i = 0; i < 5; ++i) {
            all[next++] = bytes32("signer 0") | (bytes32(i) << 192);
            all[next++] = bytes32("fund 0") | (bytes32(i) << 208);
        }
    }

    function _act(uint256 action, uint256 dice) private {
        uint256 more = dice >> 64;
        if (action == 0) handler.open(dice, more, dice >> 96);
        if (action == 1) handler.fund(dice, more, dice >> 96);
        if (action <= 3) handler.settle(dice, uint32(more), dice >> 32, dice >> 96);
        if (action == 4) handler.settleAttested(dice, more, uint32(dice >> 80), dice >> 32, dice >> 96);
        if (action == 5) handler.collect(dice, uint32(more));
        if (action == 6) handler.adjust(dice, uint32(more), dice >> 32, dice >> 96);
        if (action == 7) handler.refund(dice, uint32(more), dice >> 32, dice >> 96);
        if (action == 8) handler.credit(dice);
        if (action == 9) handler.transfer(dice, more);
        if (action == 10) handler.withdraw(dice, more, dice >> 96);
        if (action == 11) handler.close(dice, more, dice >> 96);
        if (action == 12) handler.rule(dice, more);
        if (action == 13) handler.pass(dice % 50_000);
    }

    // --- the invariants -------------------------------------------------------------------------------------------

    /// @dev INV-1.
    function _tokensCoverEscrowEarningsAndBalances() private view {
        for (uint256 asset = 0; asset < 2; ++asset) {
            address token = address(handler.assetOf(asset));
            uint256 sum = 0;
            for (uint256 i = 0; i < handler.count(); ++i) {
                MoneyHandler.Book memory book = handler.bookOf(i);
                if (book.asset == asset) sum += house.escrowOf(book.id) + house.accruedOf(book.id);
            }
            for (uint256 i = 0; i < 4; ++i) {
                sum += house.balanceOfAsset(handler.actorOf(i), token);
            }
            assertEq(sum, handler.deposits(asset) - handler.withdrawals(asset), "deposits - withdrawals");
            assertEq(handler.assetOf(asset).balanceOf(address(house)), sum, "tokens held");
        }
    }

    /// @dev INV-2 and 3.
    function _everyAccountEqualsTheShadowLedger() private view {
        for (uint256 i = 0; i < handler.count(); ++i) {
            MoneyHandler.Book memory book = handler.bookOf(i);
            assertEq(house.escrowOf(book.id), book.escrow, "escrow");
            assertEq(house.accruedOf(book.id), book.earned, "earned");
            assertEq(house.arrearsOf(book.id), handler.arrears(book), "arrears");
            assertEq(house.ownerOf(uint256(book.id)), book.owner, "owner");
            assertTrue(house.statusOf(book.id) == (book.open ? Status.Open : Status.Closed), "status");
            assertEq(house.hashTerms(house.termsOf(book.id)), book.id, "terms");
        }
        for (uint256 i = 0; i < 4; ++i) {
            for (uint256 asset = 0; asset < 2; ++asset) {
                address actor = handler.actorOf(i);
                assertEq(
                    house.balanceOfAsset(actor, address(handler.assetOf(asset))),
                    handler.balance(actor, asset),
                    "balance"
                );
            }
        }
    }

    /// @dev INV-6, 7 and 8: the shadow ledger's paid never falls, ignores every lie, and counts a repeated value once.
    function _periodsEqualTheShadowLedgerWithinCapAndFunds() private view {
        for (uint256 i = 0; i < handler.count(); ++i) {
            MoneyHandler.Book memory book = handler.bookOf(i);
            uint256 total = 0;
            for (uint32 period = 0; period < handler.PERIODS(); ++period) {
                (uint96 paid, uint96 proven) = house.periodOf(book.id, period);
                assertEq(paid, handler.paid(book.id, period), "paid");
                assertEq(proven, handler.proven(book, period), "proven");
                assertEq(house.adjustmentOf(book.id, period), handler.added(book.id, period), "added");
                assertTrue(paid <= proven && proven <= book.cap, "paid <= proven <= cap");
                total += paid;
            }
            assertEq(total + book.escrow, book.funded, "paid + escrow = funded and not sent back");
        }
    }
}
