// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VaultIncome} from "../../src/cooperate/VaultIncome.sol";
import {VaultSetup} from "../../src/cooperate/VaultSetup.sol";
import {Split, Waterfall} from "../../src/cooperate/Waterfall.sol";
import {ClearingHouse} from "../../src/transact/ClearingHouse.sol";
import {Terms} from "../../src/transact/Terms.sol";
import {MintableToken} from "../hostile/Tokens.sol";
import {VaultFixture} from "../support/VaultFixture.sol";

/// @notice Refuses to send to, or take from, who is on its list.
contract BlockingToken is MintableToken {
    mapping(address account => bool) public isBlocked;

    error Blocked(address account);

    function setBlocked(address account, bool blocked) external {
        isBlocked[account] = blocked;
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (isBlocked[from]) revert Blocked(from);
        if (isBlocked[to]) revert Blocked(to);
        super._update(from, to, amount);
    }
}

/// @notice Buys shares, has income distributed, and gives them back, all in one transaction.
contract FlashOwner {
    function run(VaultIncome vault, address lender, uint256 shares) external returns (uint256 claimable) {
        vault.transferFrom(lender, address(this), shares);
        vault.distribute();
        claimable = vault.claimableOf(address(this));
        try vault.claim(address(this)) {
            claimable = type(uint256).max;
        } catch {}
        vault.transfer(lender, shares);
    }
}

/// @notice What comes in, where it goes, and what owners claim.
contract IncomeTest is VaultFixture {
    address private lender = account("lender");
    address private keeper = account("keeper");
    address private helper = account("helper");

    function setUp() public {
        deployVaults();
    }

    function foundThree() private {
        found(plainSetup());
        give(anna, 30);
        give(ben, 20);
    }

    // --- where money comes from ---------------------------------------------------------------------------------------

    function test_CollectTakesWhatAgreementsEarned() public {
        Terms memory t = siloTerms("a");
        found(plainSetup());
        give(anna, 25);
        t.payee = address(vault);
        bytes32 id = house.hashTerms(t);
        bytes memory auth = abi.encode(t, signAccount(OPERATOR_SECRET, id));
        house.open(t, signAccount(PAYER_SECRET, id), auth);
        fundEuro(id, 1_000_000);
        vm.warp(start + 5000);
        settleSigned(valueOf(id, 0, start + 4000, 1000));
        vm.expectEmit(true, true, true, true, address(vault));
        emit VaultIncome.Income(1000, Split(0, 0, 0, 1000));
        assertEq(vault.collect(oneId(id)), 1000, "collected");
        assertEq(vault.collect(oneId(id)), 0, "once");
        nextBlock();
        assertEq(vault.claim(anna), 250, "a quarter");
        assertEq(vault.claim(founder), 750, "the rest");
        assertEq(euro.balanceOf(address(vault)), 0, "nothing left");
        vm.expectRevert();
        vault.collect(oneId(bytes32("unknown")));
    }

    function test_ADonationIsIncome() public {
        foundThree();
        donate(1000);
        assertEq(vault.undistributed(), 1000, "waits");
        assertEq(vault.distribute(), 1000, "distributed");
        assertEq(vault.distribute(), 0, "once");
        nextBlock();
        assertEq(vault.claimableOf(founder), 500, "founder");
        assertEq(vault.claimableOf(anna), 300, "anna");
        assertEq(vault.claimableOf(ben), 200, "ben");
    }

    function test_MoreThanAllMoneyWaitsAndStopsNothing() public {
        foundThree();
        donate(type(uint256).max / 2);
        assertEq(vault.distribute(), type(uint128).max, "as much as fits");
        nextBlock();
        assertEq(vault.distribute(), type(uint128).max, "and again");
        nextBlock();
        assertEq(vault.claim(anna), uint256(type(uint128).max) * 2 * 30 / 100 - 1, "anna, less a fraction that waits");
        assertCovered();
    }

    // --- the waterfall ------------------------------------------------------------------------------------------------

    /// @dev One row: income, and where it goes. Target 500, 300 owed to the lender, fees of 10 % and 2.5 %.
    struct Row {
        uint256 income;
        uint256 reserve;
        uint256 lender;
        uint256 fees;
        uint256 owners;
    }

    function test_TheWaterfallToTheUnit() public {
        VaultSetup memory setup = plainSetup();
        setup.waterfall = waterfallOf(500, lender, 300, fees(keeper, 1000, helper, 250));
        found(setup);
        Row[8] memory rows = [
            Row(200, 200, 0, 0, 0), // below the target
            Row(301, 300, 1, 0, 0), // the lender comes after the reserve
            Row(100, 0, 100, 0, 0),
            Row(200, 0, 199, 0, 1), // a fee of less than a unit is none
            Row(1000, 0, 0, 125, 875),
            Row(1, 0, 0, 0, 1),
            Row(39, 0, 0, 3, 36), // 3.9 and 0.975, both rounded down
            Row(999_999, 0, 0, 124_998, 875_001) // 99,999.9 and 24,999.975
        ];
        uint256 revenue = 0;
        for (uint256 i = 0; i < rows.length; ++i) {
            Row memory row = rows[i];
            revenue += row.income;
            donate(row.income);
            vm.expectEmit(true, true, true, true, address(vault));
            emit VaultIncome.Income(row.income, Split(row.reserve, row.lender, row.fees, row.owners));
            vault.distribute();
            assertEq(row.reserve + row.lender + row.fees + row.owners, row.income, "the row adds up");
            nextBlock();
        }
        assertEq(vault.reserve(), 500, "reserve");
        assertEq(vault.waterfall().outstanding, 0, "repaid");
        uint256 paid = vault.payCredit(lender) + vault.payCredit(keeper) + vault.payCredit(helper);
        paid += vault.claim(founder);
        assertEq(paid + 500 + 1, revenue, "all of it but a fraction less than a unit, which waits");
        assertEq(euro.balanceOf(address(vault)), 500 + 1, "the reserve is left");
        vm.expectRevert(abi.encodeWithSelector(VaultIncome.NothingToClaim.selector, lender));
        vault.payCredit(lender);
    }

    function test_ASpentReserveFillsAgain() public {
        VaultSetup memory setup = plainSetup();
        setup.waterfall = waterfallOf(500, address(0), 0, noFees());
        found(setup);
        earn(600);
        asTimelock(abi.encodeCall(vault.spend, (carla, 400, "a new propeller")));
        assertEq(euro.balanceOf(carla), 400, "spent");
        nextBlock();
        assertEq(vault.claimableOf(founder), 100, "before");
        earn(450);
        nextBlock();
        assertEq(vault.reserve(), 500, "full again");
        assertEq(vault.claimableOf(founder), 150, "after");
    }

    function test_AReserveSpentToTheVaultItselfIsIncome() public {
        VaultSetup memory setup = plainSetup();
        setup.waterfall = waterfallOf(500, address(0), 0, noFees());
        found(setup);
        earn(500);
        asTimelock(abi.encodeCall(vault.setWaterfall, (waterfallOf(0, address(0), 0, noFees()))));
        asTimelock(abi.encodeCall(vault.spend, (address(vault), 500, "to the owners")));
        vault.distribute();
        nextBlock();
        assertEq(vault.claim(founder), 500, "owners have it");
    }

    function test_WhatCameBeforeAChangeGoesByTheOldWaterfall() public {
        foundThree();
        donate(1000);
        asTimelock(abi.encodeCall(vault.setWaterfall, (waterfallOf(0, address(0), 0, fees(keeper, 5000, helper, 5000)))));
        assertEq(vault.undistributed(), 0, "distributed");
        earn(500);
        nextBlock();
        assertEq(vault.claimableOf(anna), 300, "old");
        assertEq(vault.creditOf(keeper) + vault.creditOf(helper), 500, "new");
    }

    // --- record by block ----------------------------------------------------------------------------------------------

    function test_INV12_WhoHoldsSharesAtTheEndOfTheBlockHasItsIncome() public {
        foundThree();
        earn(1000);
        vm.prank(anna);
        vault.transfer(carla, 30); // in the same block
        vm.expectRevert(abi.encodeWithSelector(VaultIncome.NothingToClaim.selector, founder));
        vault.claim(founder); // not yet: the block is not over
        nextBlock();
        vm.prank(ben);
        vault.transfer(carla, 20); // a block too late
        assertEq(vault.claimableOf(carla), 300, "bought in the block");
        assertEq(vault.claimableOf(anna), 0, "sold in the block");
        assertEq(vault.claimableOf(ben), 200, "past income stays");
        vm.expectRevert(abi.encodeWithSelector(VaultIncome.NothingToClaim.selector, anna));
        vault.claim(anna);
    }

    function test_SeveralIncomesOfABlockAreOne() public {
        foundThree();
        for (uint256 i = 1; i <= 4; ++i) {
            earn(i * 100);
            vm.prank(i % 2 == 0 ? carla : anna);
            vault.transfer(i % 2 == 0 ? anna : carla, 30); // to and fro, and back at the end
        }
        nextBlock();
        assertEq(vault.claim(anna), 300, "anna");
        assertEq(vault.claim(ben), 200, "ben");
        assertEq(vault.claim(founder), 500, "founder");
        vm.expectRevert(abi.encodeWithSelector(VaultIncome.NothingToClaim.selector, carla));
        vault.claim(carla);
    }

    function test_FlashHeldSharesEarnNothing() public {
        foundThree();
        FlashOwner flash = new FlashOwner();
        vm.prank(founder);
        vault.approve(address(flash), 50);
        donate(1000);
        assertEq(flash.run(vault, founder, 50), 0, "within the block");
        nextBlock();
        assertEq(vault.claimableOf(address(flash)), 0, "after it");
        assertEq(vault.claim(founder), 500, "the lender of the shares has all of his");
    }

    function test_ATK55_TheFirstOwnerAndADonationTakeNothingFromLaterOnes() public {
        found(saleSetup());
        donate(1);
        buy(anna, 1);
        donate(999_999_999); // to make later shares worth nothing, as in vaults that price shares by balance
        buy(ben, 39);
        vault.distribute();
        nextBlock();
        assertEq(vault.claim(anna), 20_000_000, "one of fifty");
        assertEq(vault.claim(ben), 780_000_000, "thirty-nine of fifty");
        assertEq(vault.claim(founder), 200_000_000, "ten of fifty");
    }

    function test_TransfersToSelfAndOfNothingChangeNothing() public {
        foundThree();
        earn(1000);
        nextBlock();
        vm.startPrank(anna);
        vault.transfer(anna, 30);
        vault.transfer(carla, 0);
        vault.transferFrom(ben, anna, 0);
        vm.stopPrank();
        assertEq(vault.claim(anna), 300, "anna");
        assertEq(vault.claim(ben), 200, "ben");
        assertEq(vault.claim(founder), 500, "founder");
    }

    function test_SharesOfTheVaultItselfEarnForTheOthers() public {
        foundThree();
        vm.prank(anna);
        vault.transfer(address(vault), 30);
        earn(1000);
        nextBlock();
        assertEq(vault.claim(address(vault)), 300, "paid to itself");
        assertEq(vault.undistributed(), 300, "is income again");
        assertCovered();
    }

    // --- dust ---------------------------------------------------------------------------------------------------------

    function test_FractionsWaitUntilTheyAreAUnit() public {
        VaultSetup memory setup = plainSetup();
        setup.founderShares = 3;
        found(setup);
        give(anna, 1);
        give(ben, 1);
        for (uint256 i = 1; i <= 3; ++i) {
            earn(1);
            nextBlock();
            if (i < 3) assertEq(vault.claimableOf(anna), 0, "a third, two thirds");
        }
        // 3 x 1/3 is 2^-96 short of one for each, until the remainder of the division is a whole one.
        uint256 paid = 0;
        address[3] memory owners = [founder, anna, ben];
        for (uint256 i = 0; i < 3; ++i) {
            if (vault.claimableOf(owners[i]) != 0) paid += vault.claim(owners[i]);
        }
        assertEq(paid, 3, "all of it");
        assertEq(euro.balanceOf(address(vault)), 0, "nothing left");
    }

    function testFuzz_INV11_ClaimsAndDustAreTheRevenue(uint256 seed) public {
        VaultSetup memory setup = plainSetup();
        uint256 dice = uint256(keccak256(abi.encode(seed)));
        setup.founderShares = dice % 8 == 0 ? type(uint96).max : uint128(bound(dice >> 8, 7, 1_000_000));
        found(setup);
        address[7] memory owners = [founder, anna, ben, carla, lender, keeper, helper];
        uint256 revenue = 0;
        uint256 paid = 0;
        for (uint256 step = 0; step < 60; ++step) {
            dice = uint256(keccak256(abi.encode(dice)));
            address owner = owners[(dice >> 8) % 7];
            if (dice % 5 == 0) {
                uint256 amount = (dice >> 16) % 3 == 0 ? (dice >> 24) % 5 : (dice >> 24) % 1e15;
                revenue += amount;
                earn(amount);
            } else if (dice % 5 <= 2) {
                uint256 held = vault.balanceOf(owner);
                vm.prank(owner);
                vault.transfer(owners[(dice >> 16) % 7], (dice >> 24) % 4 == 0 ? held : bound(dice >> 32, 0, held));
            } else if (dice % 5 == 3) {
                if (vault.claimableOf(owner) != 0) paid += vault.claim(owner);
            } else {
                nextBlock();
            }
        }
        nextBlock();
        for (uint256 i = 0; i < 7; ++i) {
            if (vault.claimableOf(owners[i]) != 0) paid += vault.claim(owners[i]);
        }
        uint256 dust = euro.balanceOf(address(vault));
        assertEq(paid + dust, revenue, "claims + dust = revenue");
        assertEq(vault.accounted(), dust, "dust is accounted for");
        assertTrue(dust <= 7, "less than a unit an owner, and one carried");
    }

    /// @dev The fractions of each income against plain arithmetic: no transfer moves income of the past.
    function testFuzz_INV12_NoTransferMovesPastIncome(uint96 income, uint96 later, uint8 given, bool within) public {
        foundThree();
        earn(income);
        uint256 shares = bound(given, 0, 30);
        if (!within) nextBlock();
        vm.prank(anna);
        vault.transfer(carla, shares);
        nextBlock();
        earn(later);
        nextBlock();
        uint256 atRecord = within ? 30 - shares : 30;
        uint256 due = (uint256(income) * atRecord + uint256(later) * (30 - shares)) / 100;
        uint256 carlas = (uint256(income) * (30 - atRecord) + uint256(later) * shares) / 100;
        // Each income may be 2^-96 short of a share, so that a whole unit comes with the next one.
        assertTrue(due - vault.claimableOf(anna) <= 1, "anna");
        assertTrue(carlas - vault.claimableOf(carla) <= 1, "carla");
    }

    // --- who is blocked -----------------------------------------------------------------------------------------------

    function test_INV12_AnOwnerWhomTheTokenBlocksHurtsOnlyHimself() public {
        BlockingToken token = new BlockingToken();
        VaultSetup memory setup = plainSetup();
        setup.asset = address(token);
        setup.waterfall = waterfallOf(0, lender, 100, noFees());
        found(setup);
        give(anna, 30);
        token.setBlocked(anna, true);
        token.setBlocked(lender, true);
        token.mint(address(vault), 1100);
        vault.distribute(); // the blocked lender is in nobody's way
        nextBlock();
        vm.expectRevert(abi.encodeWithSelector(BlockingToken.Blocked.selector, anna));
        vault.claim(anna);
        assertEq(vault.claim(founder), 700, "the others have theirs");
        assertEq(vault.claimableOf(anna), 300, "hers waits");
        vm.prank(anna);
        assertEq(vault.claimTo(carla), 300, "to another address");
        assertEq(token.balanceOf(carla), 300, "in hand");
        vm.prank(ben);
        vm.expectRevert(abi.encodeWithSelector(VaultIncome.NothingToClaim.selector, ben));
        vault.claimTo(ben);
        vm.expectRevert(abi.encodeWithSelector(BlockingToken.Blocked.selector, lender));
        vault.payCredit(lender);
        token.setBlocked(lender, false);
        assertEq(vault.payCredit(lender), 100, "the lender's waits, too");
    }
}
