// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Accounts} from "../../src/transact/Accounts.sol";
import {ClearingHouse} from "../../src/transact/ClearingHouse.sol";
import {Settlement} from "../../src/transact/Settlement.sol";
import {Adjustment, Limit, MeterValue, SIGNER_ACCOUNT, Status, Terms} from "../../src/transact/Terms.sol";
import {Fixture} from "../support/Fixture.sol";

/// @notice What comes after a period: adjustments, refunds, arrears at the close.
contract AdjustTest is Fixture {
    uint256 private final_;

    function setUp() public {
        deployWorld();
        final_ = uint256(start) + DAY + 7200;
    }

    function signAdjustment(Adjustment memory a) private view returns (bytes memory) {
        return signP256Sha256(MACHINE_SECRET, adjustmentDigest(address(house), a));
    }

    function adjust(Adjustment memory a) private {
        bytes memory signature = signAdjustment(a);
        house.adjust(a, signature);
    }

    function expectRefusal(Adjustment memory a, bytes4 reason) private {
        bytes memory signature = signAdjustment(a);
        vm.expectPartialRevert(reason);
        house.adjust(a, signature);
    }

    function adjustmentFor(bytes32 id, uint256 amount) private pure returns (Adjustment memory) {
        return Adjustment(id, 0, amount, "late evidence");
    }

    // --- adjust ---------------------------------------------------------------------------------------------------

    function test_LateEvidenceAddsToAFinalPeriodOnce() public {
        bytes32 id = openFunded(siloTerms("a"), 10_000);
        settleSigned(valueOf(id, 0, start, 400));
        Adjustment memory a = adjustmentFor(id, 50);
        vm.warp(final_);
        expectRefusal(a, Settlement.AdjustTooEarly.selector);
        vm.warp(final_ + 1);
        bytes memory signature = signAdjustment(a);
        vm.expectEmit(true, true, true, true, address(house));
        emit Settlement.Adjusted(id, 0, 50, "late evidence", 50, 450);
        house.adjust(a, signature);
        assertEq(paidOf(id, 0), 450, "paid");
        assertEq(provenOf(id, 0), 450, "proven");
        assertEq(house.adjustmentOf(id, 0), 50, "on record");
        expectRefusal(a, Settlement.AdjustmentExists.selector);
        expectRefusal(adjustmentFor(id, 51), Settlement.AdjustmentExists.selector);
        // what the period's own values prove comes on top, in any order
        settleSigned(valueOf(id, 0, start + 60, 430));
        settleSigned(valueOf(id, 0, start, 400));
        assertEq(paidOf(id, 0), 480, "paid");
        assertEq(house.accruedOf(id), 480, "accrued");
    }

    function test_INV08_OnlyTheSignersWordAdjusts() public {
        bytes32 id = openFunded(siloTerms("a"), 10_000);
        vm.warp(final_ + 1);
        Adjustment memory a = adjustmentFor(id, 50);
        bytes memory signature = signAdjustment(a);
        a.amount = 51;
        vm.expectPartialRevert(Settlement.AdjustmentNotSigned.selector);
        house.adjust(a, signature);
        a.amount = 50;
        bytes memory another = signP256Sha256(12, adjustmentDigest(address(house), a));
        vm.expectPartialRevert(Settlement.AdjustmentNotSigned.selector);
        house.adjust(a, another);
        vm.chainId(HOME_CHAIN + 1);
        vm.expectPartialRevert(Settlement.AdjustmentNotSigned.selector);
        house.adjust(a, signature);
        vm.chainId(HOME_CHAIN);
        a.amount = 0;
        expectRefusal(a, Settlement.AdjustmentZero.selector);
        a.amount = 50;
        a.period = 30;
        expectRefusal(a, Settlement.PeriodUnknown.selector);
        a.agreementId = "x";
        vm.expectRevert(abi.encodeWithSelector(Accounts.AgreementNotOpen.selector, bytes32("x"), Status.None));
        house.adjust(a, signature);
    }

    function test_AnAccountAdjustsItsVoucher() public {
        Terms memory t = siloTerms("a");
        t.signerKind = SIGNER_ACCOUNT;
        t.signer = bytes32(uint256(uint160(payer)));
        bytes32 id = openFunded(t, 10_000);
        vm.warp(final_ + 1);
        Adjustment memory a = adjustmentFor(id, 50);
        bytes memory signature = signAccount(PAYER_SECRET, adjustmentDigest(address(house), a));
        house.adjust(a, signature);
        assertEq(paidOf(id, 0), 50, "paid");
    }

    function test_INV07_AnAdjustmentStaysWithinCapAndLimits() public {
        Terms memory t = siloTerms("cap");
        t.capMinor = 1000;
        bytes32 capped = openFunded(t, 10_000);
        t = otherTerms("limit", "energy");
        t.limits[0] = Limit(500, 10); // 500 + 10 x 24 in a day
        bytes32 limited = openFunded(t, 10_000);
        settleSigned(valueOf(capped, 0, start, 400));
        settleSigned(valueOf(limited, 0, start, 400));
        vm.warp(final_ + 1);
        expectRefusal(adjustmentFor(capped, 601), Settlement.AdjustmentTooLarge.selector);
        expectRefusal(adjustmentFor(capped, type(uint256).max), Settlement.AdjustmentTooLarge.selector);
        adjust(adjustmentFor(capped, 600));
        assertEq(paidOf(capped, 0), 1000, "the cap");
        expectRefusal(adjustmentFor(limited, 341), Settlement.AdjustmentTooLarge.selector);
        adjust(adjustmentFor(limited, 340));
        assertEq(paidOf(limited, 0), 740, "the limit");
        // nor does a later value lift it above
        settleSigned(valueOf(limited, 0, start, 500));
        assertEq(paidOf(limited, 0), 740, "still the limit");
    }

    function test_ATariffThatCannotSayLeavesTheCap() public {
        Terms memory t = siloTerms("a");
        t.limits[0] = Limit(type(uint256).max, 0);
        t.tariffData = linearData(1, 2, 0); // overflows at the limit
        t.capMinor = 300;
        bytes32 id = openFunded(t, 10_000);
        vm.warp(final_ + 1);
        expectRefusal(adjustmentFor(id, 301), Settlement.AdjustmentTooLarge.selector);
        adjust(adjustmentFor(id, 300));
        assertEq(paidOf(id, 0), 300, "paid");
    }

    /// @dev Short escrow, several periods, adjustments, collections: paid + arrears is what was proven, in any order.
    function testFuzz_INV06_PeriodsAndAdjustmentsInAnyOrderEndTheSame(uint256 seed) public {
        bytes32[2] memory ids =
            [openFunded(siloTerms("a"), 1000), openFunded(otherTerms("b", "energy"), 1000)];
        vm.warp(start + 5 * uint256(DAY));
        for (uint256 side = 0; side < 2; ++side) {
            uint256 order = side == 0 ? 0 : seed;
            for (uint256 i = 0; i < 8; ++i) {
                uint256 step = i ^ (order & 7);
                uint32 period = uint32(step / 2);
                if (step % 2 == 1 && (seed >> step) & 1 == 1) {
                    adjust(Adjustment(ids[side], period, 40, "late"));
                } else {
                    settleSigned(valueOf(ids[side], period, start + period * DAY, amountOf(seed, period)));
                }
            }
            fundEuro(ids[side], 100_000);
            uint32[] memory periods = new uint32[](4);
            for (uint32 period = 0; period < 4; ++period) {
                periods[period] = 3 - period;
            }
            house.collect(ids[side], periods);
        }
        for (uint32 period = 0; period < 4; ++period) {
            uint256 due = amountOf(seed, period) + ((seed >> (2 * period + 1)) & 1 == 1 ? 40 : 0);
            for (uint256 side = 0; side < 2; ++side) {
                assertEq(paidOf(ids[side], period), due, "paid");
                assertEq(provenOf(ids[side], period), due, "proven");
            }
        }
        assertEq(house.escrowOf(ids[0]), house.escrowOf(ids[1]), "escrow");
        assertEq(house.arrearsOf(ids[0]) + house.arrearsOf(ids[1]), 0, "arrears");
        assertEq(house.accruedOf(ids[0]), 101_000 - house.escrowOf(ids[0]), "accrued");
    }

    function amountOf(uint256 seed, uint32 period) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, period))) % 700;
    }

    function test_WhatEscrowDoesNotReachBecomesArrears() public {
        bytes32 id = openFunded(siloTerms("a"), 420);
        settleSigned(valueOf(id, 0, start, 400));
        vm.warp(final_ + 1);
        Adjustment memory a = adjustmentFor(id, 50);
        bytes memory signature = signAdjustment(a);
        vm.expectEmit(true, true, true, true, address(house));
        emit Settlement.Adjusted(id, 0, 50, "late evidence", 20, 420);
        vm.expectEmit(true, true, true, true, address(house));
        emit Accounts.EscrowShort(id, 0, 30);
        house.adjust(a, signature);
        assertEq(house.arrearsOf(id), 30, "arrears");
        fundEuro(id, 100);
        house.collect(id, onePeriod(0));
        assertEq(paidOf(id, 0), 450, "paid");
        assertEq(house.arrearsOf(id), 0, "no arrears");
        assertEq(house.escrowOf(id), 70, "escrow");
    }

    // --- close with arrears ---------------------------------------------------------------------------------------

    function test_CloseWaitsForArrearsThatEscrowCouldPay() public {
        bytes32 id = openFunded(siloTerms("a"), 100);
        settleSigned(valueOf(id, 0, start, 350));
        fundEuro(id, 1000);
        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(ClearingHouse.ArrearsOpen.selector, id, 250));
        house.close(id);
        house.collect(id, onePeriod(0));
        vm.prank(payee);
        house.close(id);
        assertEq(house.balanceOfAsset(payer, address(euro)), 750, "refund");
        assertEq(house.accruedOf(id), 350, "earned");
    }

    function test_AnEmptyEscrowClosesWithArrears() public {
        bytes32 id = openFunded(siloTerms("a"), 100);
        settleSigned(valueOf(id, 0, start, 350));
        vm.prank(payee);
        house.close(id);
        assertEq(uint256(house.statusOf(id)), uint256(Status.Closed), "closed");
        assertEq(house.arrearsOf(id), 250, "arrears stay on record");
        (uint96 paid, uint96 proven) = house.periodOf(id, 0);
        assertEq(paid, 100, "paid");
        assertEq(proven, 350, "proven");
    }

    // --- refund ---------------------------------------------------------------------------------------------------

    function test_TheOwnerRefundsOutOfWhatIsEarnedAndThenHisBalance() public {
        bytes32 id = openFunded(siloTerms("a"), 10_000);
        settleSigned(valueOf(id, 0, start, 300));
        house.credit(oneId(id));
        settleSigned(valueOf(id, 0, start, 350));
        vm.expectEmit(true, true, true, true, address(house));
        emit ClearingHouse.Credited(id, payee, 50);
        vm.expectEmit(true, true, true, true, address(house));
        emit ClearingHouse.Refunded(id, 0, payee, 120);
        vm.prank(payee);
        house.refund(id, 0, 120);
        assertEq(house.balanceOfAsset(payer, address(euro)), 120, "payer");
        assertEq(house.balanceOfAsset(payee, address(euro)), 230, "payee");
        assertEq(paidOf(id, 0), 350, "paid stays");
        assertEq(house.escrowOf(id), 9_650, "escrow");
        vm.startPrank(payee);
        vm.expectRevert(
            abi.encodeWithSelector(ClearingHouse.BalanceInsufficient.selector, payee, address(euro), 230, 231)
        );
        house.refund(id, 0, 231);
        vm.expectPartialRevert(Settlement.PeriodUnknown.selector);
        house.refund(id, 30, 1);
        house.close(id);
        house.refund(id, 29, 30);
        vm.stopPrank();
        assertEq(house.balanceOfAsset(payer, address(euro)), 9_800, "after the close too");
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(ClearingHouse.NotPositionOwner.selector, id, payer, payee));
        house.refund(id, 0, 1);
    }
}
