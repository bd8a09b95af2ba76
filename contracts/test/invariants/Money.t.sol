// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClearingHouse} from "../../src/transact/ClearingHouse.sol";
import {TestEuro} from "../../src/transact/TestEuro.sol";
import {MeterValue, Terms} from "../../src/transact/Terms.sol";
import {Fixture} from "../support/Fixture.sol";
import {Test} from "../support/Test.sol";

// One file, since the runner fuzzes only contracts of the files that it was given.

/// @notice Does what payers, payees, buyers, relayers and liars do, in any order, and keeps its own books of it.
contract MoneyHandler is Fixture {
    struct Book {
        bytes32 id;
        uint256 asset;
        bool open;
        address owner;
        uint256 cap;
        uint256 funded;
        uint256 escrow;
        uint256 earned;
    }

    uint256 private constant MOST_AGREEMENTS = 6;
    uint32 public constant PERIODS = 3;

    Book[] private _books;
    TestEuro[2] private _assets;
    uint256[2] public deposits;
    uint256[2] public withdrawals;
    mapping(bytes32 id => mapping(uint32 period => uint256)) public paid;
    mapping(bytes32 id => mapping(uint32 period => uint256)) public proven;
    mapping(address account => mapping(uint256 asset => uint256)) public balance;
    address[3] private _actors;
    /// @notice How often money moved, so that a run which did nothing shows.
    uint256 public payments;
    uint256 private _clock;

    constructor() {
        deployWorld();
        _assets = [euro, new TestEuro()];
        _actors = [payer, payee, account("buyer")];
        _clock = start;
    }

    // --- what the fuzzer calls ------------------------------------------------------------------------------------

    function open(uint256 asset, uint256 cap) external {
        if (_books.length == MOST_AGREEMENTS) return;
        Terms memory t = siloTerms(bytes32(_books.length + 1));
        asset = asset % 2;
        t.asset = address(_assets[asset]);
        t.periods = PERIODS;
        t.shared = true;
        t.openBy = type(uint64).max;
        t.capMinor = bound(cap, 0, 3_000_000);
        bytes32 id = openSigned(t);
        _books.push(Book(id, asset, true, payee, t.capMinor, 0, 0, 0));
    }

    function fund(uint256 which, uint256 amount) external {
        if (_books.length == 0) return;
        Book storage book = _pick(which);
        if (!book.open) return;
        amount = bound(amount, 0, 2_000_000);
        TestEuro token = _assets[book.asset];
        token.mint(payer, amount);
        vm.startPrank(payer);
        token.approve(address(house), amount);
        house.fund(book.id, amount);
        vm.stopPrank();
        deposits[book.asset] += amount;
        book.funded += amount;
        book.escrow += amount;
    }

    /// @dev A batch of three: an honest value, the same again, and a lie that must move nothing.
    function settle(uint256 which, uint32 period, uint256 register, uint256 lie) external {
        if (_books.length == 0) return;
        Book storage book = _pick(which);
        period = uint32(period % PERIODS);
        uint256 from = uint256(start) + period * DAY;
        uint256 asOf = _clock < from ? from : (_clock > from + DAY ? from + DAY : _clock);
        register = bound(register, 0, 1_000_000 + (1_000_000 * (asOf - from)) / 3600);
        MeterValue[] memory values = new MeterValue[](3);
        bytes[] memory signatures = new bytes[](3);
        values[0] = valueOf(book.id, period, asOf, register);
        signatures[0] = signValue(values[0]);
        values[1] = values[0];
        signatures[1] = signatures[0];
        (values[2], signatures[2]) = _lie(book.id, period, asOf, register, lie % 6);
        vm.prank(_actors[lie % 3]);
        house.settle(values, signatures);
        if (!book.open || asOf > _clock) return;
        _pay(book, period, register < book.cap ? register : book.cap);
    }

    function collect(uint256 which, uint32 period) external {
        if (_books.length == 0) return;
        Book storage book = _pick(which);
        if (!book.open) return;
        period = uint32(period % PERIODS);
        house.collect(book.id, onePeriod(period));
        _pay(book, period, proven[book.id][period]);
    }

    function credit(uint256 which) external {
        if (_books.length == 0) return;
        Book storage book = _pick(which);
        bytes32[] memory ids = new bytes32[](2);
        ids[0] = book.id;
        ids[1] = book.id;
        house.credit(ids);
        _credit(book);
    }

    function transfer(uint256 which, uint256 to) external {
        if (_books.length == 0) return;
        Book storage book = _pick(which);
        address buyer = _actors[to % 3];
        vm.prank(book.owner);
        house.transferFrom(book.owner, buyer, uint256(book.id));
        _credit(book);
        book.owner = buyer;
    }

    function withdraw(uint256 who, uint256 asset, uint256 amount) external {
        address actor = _actors[who % 3];
        asset = asset % 2;
        amount = bound(amount, 0, balance[actor][asset]);
        vm.prank(actor);
        house.withdraw(address(_assets[asset]), amount, account("bank"));
        balance[actor][asset] -= amount;
        withdrawals[asset] += amount;
    }

    function close(uint256 which, uint256 dice) external {
        if (_books.length == 0 || dice % 4 != 0) return;
        Book storage book = _pick(which);
        if (!book.open) return;
        // `close` refuses while escrow could still pay arrears.
        uint32[] memory periods = new uint32[](PERIODS);
        for (uint32 period = 0; period < PERIODS; ++period) {
            periods[period] = period;
        }
        house.collect(book.id, periods);
        for (uint32 period = 0; period < PERIODS; ++period) {
            _pay(book, period, proven[book.id][period]);
        }
        vm.prank(book.owner);
        house.close(book.id);
        book.open = false;
        balance[payer][book.asset] += book.escrow;
        book.funded -= book.escrow;
        book.escrow = 0;
    }

    function pass(uint256 time) external {
        _clock += bound(time, 0, DAY / 2);
        vm.warp(_clock);
    }

    // --- what the invariants read ---------------------------------------------------------------------------------

    function count() external view returns (uint256) {
        return _books.length;
    }

    function bookOf(uint256 index) external view returns (Book memory) {
        return _books[index];
    }

    function assetOf(uint256 index) external view returns (TestEuro) {
        return _assets[index];
    }

    function actorOf(uint256 index) external view returns (address) {
        return _actors[index];
    }

    function houseAddress() external view returns (address) {
        return address(house);
    }

    // --- books ----------------------------------------------------------------------------------------------------

    function _pick(uint256 which) private view returns (Book storage) {
        return _books[which % _books.length];
    }

    function _pay(Book storage book, uint32 period, uint256 due) private {
        if (due > proven[book.id][period]) proven[book.id][period] = due;
        uint256 before = paid[book.id][period];
        uint256 amount = due > before ? due - before : 0;
        if (amount > book.escrow) amount = book.escrow;
        paid[book.id][period] = before + amount;
        book.escrow -= amount;
        book.earned += amount;
        if (amount != 0) payments += 1;
    }

    function _credit(Book storage book) private {
        balance[book.owner][book.asset] += book.earned;
        book.earned = 0;
    }

    function _lie(bytes32 id, uint32 period, uint256 asOf, uint256 register, uint256 how)
        private
        view
        returns (MeterValue memory value, bytes memory signature)
    {
        value = valueOf(id, period, asOf, register + 1_000_000_000);
        signature = signValue(value);
        if (how == 0) return (value, signature); // above the rate
        value = valueOf(id, period, asOf, register + 1);
        if (how == 1) signature = signP256Sha256(12, valueDigest(value)); // by another key
        if (how == 2) signature = signP256Raw(MACHINE_SECRET, valueDigest(value)); // not hashed
        if (how == 3) signature = flipP256(signValue(value)); // high s
        if (how == 4) {
            value.period = PERIODS;
            signature = signValue(value);
        }
        if (how == 5) {
            value.asOf = uint64(_clock + 1);
            signature = signValue(value);
        }
    }
}

/// @notice INV-1, 2, 3, 6, 7 and 8 against a shadow ledger, after every sequence of actions.
contract MoneyInvariants is Test {
    MoneyHandler private handler;
    ClearingHouse private house;

    function setUp() public {
        handler = new MoneyHandler();
        house = ClearingHouse(handler.houseAddress());
    }

    /// @dev A handler that did nothing would keep every invariant.
    function test_TheHandlerMovesMoney() public {
        for (uint256 i = 0; i < 60; ++i) {
            uint256 dice = uint256(keccak256(abi.encode(i)));
            handler.open(dice, dice);
            handler.fund(dice >> 8, dice >> 8);
            handler.settle(dice >> 16, uint32(dice), dice >> 16, dice >> 24);
            handler.credit(dice >> 32);
            handler.withdraw(dice >> 40, dice >> 48, dice >> 56);
            handler.pass(dice >> 64);
        }
        assertTrue(handler.payments() > 10, "payments");
        assertTrue(handler.deposits(0) > 0 && handler.withdrawals(0) > 0, "deposits and withdrawals");
        invariant_INV01_TokensCoverEscrowEarningsAndBalances();
        invariant_INV02_EveryAccountEqualsTheShadowLedger();
        invariant_INV06_07_08_PeriodsEqualTheShadowLedgerWithinCapAndFunds();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_INV01_TokensCoverEscrowEarningsAndBalances() public view {
        for (uint256 asset = 0; asset < 2; ++asset) {
            address token = address(handler.assetOf(asset));
            uint256 sum = 0;
            for (uint256 i = 0; i < handler.count(); ++i) {
                MoneyHandler.Book memory book = handler.bookOf(i);
                if (book.asset == asset) sum += house.escrowOf(book.id) + house.accruedOf(book.id);
            }
            for (uint256 i = 0; i < 3; ++i) {
                sum += house.balanceOfAsset(handler.actorOf(i), token);
            }
            assertEq(sum, handler.deposits(asset) - handler.withdrawals(asset), "deposits - withdrawals");
            assertEq(handler.assetOf(asset).balanceOf(address(house)), sum, "tokens held");
        }
    }

    function invariant_INV02_EveryAccountEqualsTheShadowLedger() public view {
        for (uint256 i = 0; i < handler.count(); ++i) {
            MoneyHandler.Book memory book = handler.bookOf(i);
            assertEq(house.escrowOf(book.id), book.escrow, "escrow");
            assertEq(house.accruedOf(book.id), book.earned, "earned");
            assertEq(house.ownerOf(uint256(book.id)), book.owner, "owner");
        }
        for (uint256 i = 0; i < 3; ++i) {
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

    function invariant_INV03_TermsNeverChange() public view {
        for (uint256 i = 0; i < handler.count(); ++i) {
            bytes32 id = handler.bookOf(i).id;
            assertEq(house.hashTerms(house.termsOf(id)), id, "terms");
        }
    }

    /// @dev The shadow ledger's paid never falls, ignores every lie, and counts a repeated value once.
    function invariant_INV06_07_08_PeriodsEqualTheShadowLedgerWithinCapAndFunds() public view {
        for (uint256 i = 0; i < handler.count(); ++i) {
            MoneyHandler.Book memory book = handler.bookOf(i);
            uint256 total = 0;
            for (uint32 period = 0; period < handler.PERIODS(); ++period) {
                (uint96 paid, uint96 proven) = house.periodOf(book.id, period);
                assertEq(paid, handler.paid(book.id, period), "paid");
                assertEq(proven, handler.proven(book.id, period), "proven");
                assertTrue(paid <= proven && proven <= book.cap, "paid <= proven <= cap");
                total += paid;
            }
            assertEq(total + book.escrow, book.funded, "paid + escrow = funded and not refunded");
        }
    }
}
