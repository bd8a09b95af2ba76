// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {MachineAccount} from "../../../src/transact/account/MachineAccount.sol";
import {Key} from "../../../src/trust/Key.sol";
import {StreamHead} from "../../../src/trust/MachineRegistry.sol";
import {Authorization} from "../../../src/trust/account/Authorization.sol";
import {MachinePurse, Payment} from "../../../src/trust/account/MachinePurse.sol";
import {Policy, SpendingPolicy} from "../../../src/trust/account/SpendingPolicy.sol";
import {AskingToken} from "../../support/AskingToken.sol";
import {AccountFixture} from "../../support/AccountFixture.sol";

/// @notice A token that calls back into the account while it is paid.
contract ReenteringToken {
    MachineAccount private _purse;
    Payment private _payment;
    bytes private _signature;

    function arm(MachineAccount purse, Payment calldata payment, bytes calldata signature) external {
        (_purse, _payment, _signature) = (purse, payment, signature);
    }

    function transfer(address, uint256) external returns (bool) {
        _purse.pay(_payment, _signature);
        return true;
    }
}

/// @notice What the machine's key may spend, by either way; and what a thief of it cannot.
contract SpendingPolicyTest is AccountFixture {
    function setUp() public {
        deployAccounts();
    }

    // --- pay ------------------------------------------------------------------------------------------------------------

    function test_AnybodyRelaysWhatTheMachineSigned() public {
        Payment memory payment = paymentOf(PER_PAYMENT, "a");
        bytes memory signature = signPayment(payment);
        vm.prank(stranger);
        purse.pay(payment, signature);
        assertEq(euro.balanceOf(charger), PER_PAYMENT, "paid");
        (Policy memory policy, uint256 spent, bool paused) = purse.policyOf(address(euro));
        assertEq(spent, PER_PAYMENT, "counted");
        assertEq(policy.perDay, PER_DAY, "policy");
        assertTrue(!paused, "not paused");
    }

    function test_APaymentIsMadeOnce() public {
        Payment memory payment = paymentOf(1e6, "a");
        bytes memory signature = signPayment(payment);
        purse.pay(payment, signature);
        vm.expectRevert(abi.encodeWithSelector(MachinePurse.PaymentUsed.selector, purse.hashPayment(payment)));
        purse.pay(payment, signature);
    }

    function test_NotAfterItsDeadline() public {
        Payment memory payment = paymentOf(1e6, "a");
        payment.deadline = T0 - 1;
        bytes memory signature = signPayment(payment);
        vm.expectRevert(abi.encodeWithSelector(MachinePurse.DeadlineExpired.selector, T0 - 1, T0));
        purse.pay(payment, signature);
    }

    function test_AChangedPaymentIsNotSigned() public {
        Payment memory payment = paymentOf(1e6, "a");
        bytes memory signature = signPayment(payment);
        payment.amount += 1;
        vm.expectPartialRevert(MachinePurse.MachineSignatureInvalid.selector);
        purse.pay(payment, signature);
    }

    function test_EachLineRefusesByItsName() public {
        Payment memory payment = paymentOf(PER_PAYMENT + 1, "a");
        bytes memory signature = signPayment(payment);
        vm.expectRevert(
            abi.encodeWithSelector(SpendingPolicy.PaymentAboveLimit.selector, PER_PAYMENT + 1, PER_PAYMENT)
        );
        purse.pay(payment, signature);

        payment = paymentOf(1e6, "a");
        payment.to = stranger;
        signature = signPayment(payment);
        vm.expectRevert(abi.encodeWithSelector(SpendingPolicy.CounterpartyRefused.selector, stranger));
        purse.pay(payment, signature);

        payment = paymentOf(1e6, "a");
        payment.asset = address(new AskingToken());
        signature = signPayment(payment);
        vm.expectRevert(abi.encodeWithSelector(SpendingPolicy.PolicyMissing.selector, payment.asset));
        purse.pay(payment, signature);

        vm.prank(owner);
        purse.setPaused(true);
        payment = paymentOf(1e6, "a");
        signature = signPayment(payment);
        vm.expectRevert(abi.encodeWithSelector(SpendingPolicy.PolicyPaused.selector));
        purse.pay(payment, signature);
        vm.prank(owner);
        purse.setPaused(false);

        vm.warp(EXPIRY + 1);
        vm.expectRevert(
            abi.encodeWithSelector(SpendingPolicy.PolicyExpired.selector, EXPIRY, uint256(EXPIRY) + 1)
        );
        purse.pay(payment, signature);
        vm.warp(EXPIRY);
        purse.pay(payment, signature);
        vm.warp(T0);
    }

    function test_TheDayHasALimit() public {
        paySigned(paymentOf(30e6, "a"));
        paySigned(paymentOf(30e6, "b"));
        paySigned(paymentOf(30e6, "c"));
        Payment memory payment = paymentOf(10e6 + 1, "d");
        bytes memory signature = signPayment(payment);
        vm.expectRevert(
            abi.encodeWithSelector(SpendingPolicy.DayLimitExceeded.selector, TODAY, 90e6, 10e6 + 1, PER_DAY)
        );
        purse.pay(payment, signature);
        vm.warp((TODAY + 1) * 1 days);
        purse.pay(payment, signature);
        vm.warp(T0);
    }

    function test_SixteenCounterpartiesAndNoMore() public {
        Policy memory policy = usualPolicy();
        policy.counterparties = new address[](17);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(SpendingPolicy.TooManyCounterparties.selector, 17, 16));
        purse.setPolicy(address(euro), policy);
        policy.counterparties = new address[](16);
        policy.counterparties[15] = charger;
        vm.prank(owner);
        purse.setPolicy(address(euro), policy);
        paySigned(paymentOf(1e6, "a"));
    }

    function test_AShorterListForgetsTheLongerOne() public {
        Policy memory policy = usualPolicy();
        policy.counterparties = new address[](2);
        policy.counterparties[0] = charger;
        policy.counterparties[1] = stranger;
        vm.startPrank(owner);
        purse.setPolicy(address(euro), policy);
        purse.setPolicy(address(euro), usualPolicy());
        vm.stopPrank();
        Payment memory payment = paymentOf(1e6, "a");
        payment.to = stranger;
        bytes memory signature = signPayment(payment);
        vm.expectPartialRevert(SpendingPolicy.CounterpartyRefused.selector);
        purse.pay(payment, signature);
    }

    // --- by ERC-1271 ----------------------------------------------------------------------------------------------------

    function test_ATokenMovesWhatTheMachineSignedAndBooked() public {
        Authorization memory a = authorizationOf(PER_PAYMENT, "a");
        bookSigned(a, TODAY);
        bytes memory signature = machineSignature(a, TODAY);
        assertTrue(purse.isValidSignature(hashOf(a), signature) == IERC1271.isValidSignature.selector, "valid");
        assertEq(purse.explainSignature(hashOf(a), signature).length, 0, "nothing to explain");
        moveBy(a, signature);
        assertEq(euro.balanceOf(charger), PER_PAYMENT, "moved");
        vm.expectPartialRevert(bytes4(keccak256("ERC3009UsedAuthorization(address,bytes32)")));
        moveBy(a, signature);
    }

    function test_WithoutBookingATokenIsRefused() public {
        Authorization memory a = authorizationOf(1e6, "a");
        assertRefused(
            a, TODAY, abi.encodeWithSelector(MachinePurse.BookingMissing.selector, purse.hashBooking(a, TODAY))
        );
        bytes memory signature = machineSignature(a, TODAY);
        vm.expectPartialRevert(AskingToken.SignatureRefused.selector);
        moveBy(a, signature);
    }

    function test_EachLineRefusesATokenByItsName() public {
        assertRefused(
            authorizationOf(PER_PAYMENT + 1, "a"),
            TODAY,
            abi.encodeWithSelector(SpendingPolicy.PaymentAboveLimit.selector, PER_PAYMENT + 1, PER_PAYMENT)
        );
        Authorization memory a = authorizationOf(1e6, "a");
        a.to = stranger;
        assertRefused(a, TODAY, abi.encodeWithSelector(SpendingPolicy.CounterpartyRefused.selector, stranger));

        a = authorizationOf(10e6, "b");
        bookSigned(a, TODAY);
        vm.prank(owner);
        purse.setPaused(true);
        assertRefused(a, TODAY, abi.encodeWithSelector(SpendingPolicy.PolicyPaused.selector));
        vm.prank(owner);
        purse.setPaused(false);

        paySigned(paymentOf(30e6, "a"));
        paySigned(paymentOf(30e6, "b"));
        paySigned(paymentOf(30e6, "c"));
        Authorization memory more = authorizationOf(1, "c");
        assertRefused(
            more,
            TODAY,
            abi.encodeWithSelector(SpendingPolicy.DayLimitExceeded.selector, TODAY, PER_DAY, 1, PER_DAY)
        );
        Policy memory lower = usualPolicy();
        lower.perDay = 99e6;
        vm.prank(owner);
        purse.setPolicy(address(euro), lower);
        assertRefused(
            a,
            TODAY,
            abi.encodeWithSelector(SpendingPolicy.DayLimitExceeded.selector, TODAY, 100e6, 0, 99e6)
        );
        vm.prank(owner);
        purse.setPolicy(address(euro), usualPolicy());

        vm.warp(EXPIRY + 1);
        assertRefused(
            a,
            TODAY,
            abi.encodeWithSelector(SpendingPolicy.PolicyExpired.selector, EXPIRY, uint256(EXPIRY) + 1)
        );
        vm.warp(T0);
    }

    function test_ABookingIsForItsDayAlone() public {
        Authorization memory a = authorizationOf(10e6, "a");
        bytes memory early = signBooking(a, TODAY + 1);
        vm.expectRevert(abi.encodeWithSelector(MachinePurse.BookingOfOtherDay.selector, TODAY + 1, TODAY));
        purse.book(a, TODAY + 1, early);
        bookSigned(a, TODAY);
        vm.warp((TODAY + 1) * 1 days);
        assertRefused(
            a, TODAY, abi.encodeWithSelector(MachinePurse.BookingOfOtherDay.selector, TODAY, TODAY + 1)
        );
        vm.warp(T0);
    }

    function test_NobodyBooksTwiceWhatWasSignedOnce() public {
        Authorization memory a = authorizationOf(10e6, "a");
        bytes memory signature = signBooking(a, TODAY);
        purse.book(a, TODAY, signature);
        vm.expectPartialRevert(MachinePurse.PaymentUsed.selector);
        purse.book(a, TODAY, signature);
    }

    function test_AHashIsWhatItSays(bytes32 other) public {
        Authorization memory a = authorizationOf(1e6, "a");
        vm.assume(other != hashOf(a));
        bookSigned(a, TODAY);
        bytes memory signature = machineSignature(a, TODAY);
        assertTrue(purse.isValidSignature(other, signature) == bytes4(0xffffffff), "another hash");
        assertEq(
            keccak256(purse.explainSignature(other, signature)),
            keccak256(abi.encodeWithSelector(MachinePurse.HashMismatch.selector, other, hashOf(a))),
            "why"
        );
    }

    function test_WhatTheMachineSignsOutrightIsRefused(bytes32 hash) public view {
        bytes memory plain = signP256Sha256(MACHINE_SECRET, hash);
        assertTrue(purse.isValidSignature(hash, plain) == bytes4(0xffffffff), "no payment that can be read");
    }

    // --- attacks --------------------------------------------------------------------------------------------------------

    /// @notice Whatever a thief signs with the key, both ways mixed, a day takes no more than the day's limit, to nobody else.
    function test_AStolenKeyTakesNoMoreThanThePolicyLets(uint256 seed) public {
        uint256 had = euro.balanceOf(address(purse));
        for (uint256 day = 0; day < 2; ++day) {
            vm.warp((TODAY + day) * 1 days);
            uint256 before = euro.balanceOf(charger);
            for (uint256 i = 0; i < 12; ++i) {
                seed = uint256(keccak256(abi.encode(seed, i)));
                uint256 amount = (seed >> 8) % 60e6;
                address to = seed & 3 == 0 ? stranger : charger;
                if (seed & 4 == 0) {
                    Payment memory payment = paymentOf(amount, bytes32(seed));
                    payment.to = to;
                    bytes memory signature = signPayment(payment);
                    try purse.pay(payment, signature) {} catch {}
                } else {
                    Authorization memory a = authorizationOf(amount, bytes32(seed));
                    a.to = to;
                    bytes memory signature = signBooking(a, TODAY + day);
                    try purse.book(a, TODAY + day, signature) {} catch {}
                    signature = machineSignature(a, TODAY + day);
                    try this.move(a, signature) {} catch {}
                }
            }
            assertTrue(euro.balanceOf(charger) - before <= PER_DAY, "within the day");
        }
        assertEq(euro.balanceOf(stranger), 0, "nothing to others");
        assertEq(euro.balanceOf(charger) + euro.balanceOf(address(purse)), had, "nothing elsewhere");
        vm.warp(T0);
    }

    function move(Authorization calldata a, bytes calldata signature) external {
        moveBy(a, signature);
    }

    function test_TheSellersPolicyIsVoidAfterTheSale() public {
        Payment memory payment = paymentOf(1e6, "a");
        bytes memory signature = signPayment(payment);
        Authorization memory a = authorizationOf(1e6, "a");
        bookSigned(a, TODAY);
        bytes memory booked = machineSignature(a, TODAY);
        vm.prank(owner);
        registry.transferFrom(owner, stranger, machineId);

        vm.expectPartialRevert(MachinePurse.MachineSignatureInvalid.selector);
        purse.pay(payment, signature);
        signature = signPayment(payment);
        vm.expectRevert(abi.encodeWithSelector(SpendingPolicy.PolicyMissing.selector, address(euro)));
        purse.pay(payment, signature);
        assertTrue(purse.isValidSignature(hashOf(a), booked) == bytes4(0xffffffff), "what he had booked");

        // The same lines set by the buyer do not bring back what was booked or signed for the seller.
        vm.prank(stranger);
        purse.setPolicy(address(euro), usualPolicy());
        assertTrue(purse.isValidSignature(hashOf(a), booked) == bytes4(0xffffffff), "still not");
        (, uint256 spent,) = purse.policyOf(address(euro));
        assertEq(spent, 0, "the buyer's day begins anew");

        // Nor does buying it back bring back the seller's policy.
        vm.prank(stranger);
        registry.transferFrom(stranger, owner, machineId);
        signature = signPayment(payment);
        vm.expectPartialRevert(SpendingPolicy.PolicyMissing.selector);
        purse.pay(payment, signature);
    }

    function test_ARevokedKeySpendsNothing() public {
        Authorization memory a = authorizationOf(1e6, "a");
        bookSigned(a, TODAY);
        vm.prank(owner);
        registry.revoke(machineId);
        Payment memory payment = paymentOf(1e6, "a");
        bytes memory signature = signPayment(payment);
        vm.expectRevert(abi.encodeWithSelector(MachinePurse.MachineNotActive.selector, machineId));
        purse.pay(payment, signature);
        assertRefused(a, TODAY, abi.encodeWithSelector(MachinePurse.MachineNotActive.selector, machineId));
    }

    function test_AReplacedKeySpendsNothing() public {
        Authorization memory a = authorizationOf(1e6, "a");
        bookSigned(a, TODAY);
        Key memory newKey = p256Key(12, registry.p256Sha256Verifier());
        StreamHead[] memory heads = new StreamHead[](0);
        bytes32 digest = rotateDigest(registry, machineId, newKey, heads, 1);
        registry.rotate(
            machineId, newKey, heads, FAR, signP256Sha256(MACHINE_SECRET, digest), signP256Sha256(12, digest)
        );
        assertRefused(
            a,
            TODAY,
            abi.encodeWithSelector(
                MachinePurse.MachineSignatureInvalid.selector, machineId, purse.hashBooking(a, TODAY)
            )
        );
        Payment memory payment = paymentOf(1e6, "a");
        bytes memory signature = signPayment(payment);
        vm.expectPartialRevert(MachinePurse.MachineSignatureInvalid.selector);
        purse.pay(payment, signature);
        signature = signP256Sha256(12, purse.hashPayment(payment));
        purse.pay(payment, signature);
        assertEq(euro.balanceOf(charger), 1e6, "the new key pays");
    }

    function test_ASuspendedMachineSpendsNothing() public {
        Authorization memory a = authorizationOf(1e6, "a");
        bookSigned(a, TODAY);
        vm.prank(owner);
        registry.suspend(machineId);
        assertRefused(a, TODAY, abi.encodeWithSelector(MachinePurse.MachineNotActive.selector, machineId));
        vm.prank(owner);
        registry.resume(machineId);
        moveBy(a, machineSignature(a, TODAY));
    }

    function test_AControllersKeySpendsForTheMachineThatItControls() public {
        bytes memory proof = signP256Sha256(MACHINE_SECRET, controlledDigest(registry, owner, machineId, "salt"));
        uint256 controlled = registry.registerControlled(owner, machineId, "salt", FAR, proof);
        MachineAccount second = createAccount(controlled);
        vm.startPrank(owner);
        registry.activate(controlled);
        second.setPolicy(address(euro), usualPolicy());
        vm.stopPrank();
        euro.mint(address(second), 100e6);
        Payment memory payment = paymentOf(1e6, "a");
        bytes memory signature = signP256Sha256(MACHINE_SECRET, second.hashPayment(payment));
        // One key speaks for both: what it signed for one account is nothing to the other.
        vm.expectPartialRevert(MachinePurse.MachineSignatureInvalid.selector);
        purse.pay(payment, signature);
        second.pay(payment, signature);

        Authorization memory a = authorizationOf(1e6, "a");
        bookSigned(a, TODAY);
        bytes memory ofFirst = machineSignature(a, TODAY);
        assertTrue(second.isValidSignature(hashOf(a), ofFirst) == bytes4(0xffffffff), "another account");
    }

    function test_OnAnotherChainTheSignatureIsNothing() public {
        Payment memory payment = paymentOf(1e6, "a");
        bytes memory signature = signPayment(payment);
        vm.chainId(4242);
        vm.expectPartialRevert(MachinePurse.NotAccountOwner.selector);
        purse.pay(payment, signature);
        bytes32 digest = purse.hashPayment(payment);
        assertTrue(!registry.verify(machineId, digest, signature), "another digest there");
        vm.chainId(HOME_CHAIN);
        purse.pay(payment, signature);
    }

    function test_ATokenThatCallsBackIsPaidOnce() public {
        ReenteringToken token = new ReenteringToken();
        Policy memory policy = usualPolicy();
        vm.prank(owner);
        purse.setPolicy(address(token), policy);
        Payment memory payment = paymentOf(20e6, "a");
        payment.asset = address(token);
        bytes memory signature = signPayment(payment);
        token.arm(purse, payment, signature);
        vm.expectPartialRevert(MachinePurse.PaymentUsed.selector);
        purse.pay(payment, signature);
    }

    function test_ATokenThatCallsBackStillMeetsTheDaysLimit() public {
        ReenteringToken token = new ReenteringToken();
        Policy memory policy = usualPolicy();
        policy.perDay = 30e6;
        vm.prank(owner);
        purse.setPolicy(address(token), policy);
        Payment memory first = paymentOf(20e6, "a");
        Payment memory second = paymentOf(20e6, "b");
        (first.asset, second.asset) = (address(token), address(token));
        bytes memory signature = signPayment(first);
        token.arm(purse, second, signPayment(second));
        vm.expectPartialRevert(SpendingPolicy.DayLimitExceeded.selector);
        purse.pay(first, signature);
    }
}
