// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {Accounts} from "../../../src/transact/Accounts.sol";
import {ClearingHouse} from "../../../src/transact/ClearingHouse.sol";
import {Status, Terms} from "../../../src/transact/Terms.sol";
import {ITermsRefusals} from "../../../src/transact/TermsRules.sol";
import {MachineAccount} from "../../../src/transact/account/MachineAccount.sol";
import {MachinePurse, Payment} from "../../../src/trust/account/MachinePurse.sol";
import {Policy, SpendingPolicy} from "../../../src/trust/account/SpendingPolicy.sol";
import {Deploy} from "../../support/Deploy.sol";
import {PartyFixture} from "../../support/PartyFixture.sol";

/// @notice Machines as payer and payee: what their keys may agree to, and that a stolen one takes no more than the policy lets it.
contract MachineAccountTest is PartyFixture {
    function setUp() public {
        deployParties();
    }

    // --- the truck pays the charger -------------------------------------------------------------------------------------

    function test_ATruckOpensAnAgreementAndPaysACharger() public {
        Terms memory t = chargingTerms("a");
        bytes32 id = house.hashTerms(t);
        bytes memory payeeAuth = acceptance(t);
        bytes memory signature = signOpening(id, 20e6);
        vm.expectEmit(true, true, true, true, address(purse));
        emit MachineAccount.Escrowed(id, address(euro), address(till), 20e6, purse.hashOpening(id, 20e6, FAR));
        vm.prank(stranger);
        purse.openAgreement(t, payeeAuth, 20e6, FAR, signature);
        assertEq(house.ownerOf(uint256(id)), address(till), "the charger's account has the position");
        assertEq(house.escrowOf(id), 20e6, "escrow");
        assertEq(euro.allowance(address(purse), address(house)), 0, "no allowance is left");
        (, uint256 spent,) = purse.policyOf(address(euro));
        assertEq(spent, 20e6, "counted into the day");

        settleCharged(id, 12e6);
        house.credit(ids(id));
        vm.prank(stranger);
        assertEq(till.reclaim(address(euro)), 12e6, "earned");
        assertEq(euro.balanceOf(address(till)), 12e6, "the charger is paid");

        onHouse(till, chargerOwner, abi.encodeCall(house.close, (id)));
        vm.prank(stranger);
        assertEq(purse.reclaim(address(euro)), 8e6, "what was left");
        assertEq(euro.balanceOf(address(purse)), 988e6, "home");
        assertEq(purse.reclaim(address(euro)), 0, "nothing more, and no error");
    }

    function test_EachActionChangesTheState() public {
        uint256 state = purse.state();
        bytes32 id = openSigned(chargingTerms("a"), 20e6);
        assertTrue(purse.state() != state, "an opening");
        state = purse.state();
        topUpSigned(id, 1e6, "a");
        assertTrue(purse.state() != state, "a top-up");
        onHouse(till, chargerOwner, abi.encodeCall(house.close, (id)));
        state = purse.state();
        purse.reclaim(address(euro));
        assertTrue(purse.state() != state, "a return of escrow");
        state = till.state();
        vm.prank(chargerOwner);
        till.setSelling(address(euro), 0);
        assertTrue(till.state() != state, "a leave to sell");
    }

    function test_AnAgreementMayBeOpenedWithoutMoney() public {
        bytes32 id = openSigned(chargingTerms("a"), 0);
        assertEq(house.escrowOf(id), 0, "nothing in it");
        topUpSigned(id, 7e6, "a");
        assertEq(house.escrowOf(id), 7e6, "topped up");
    }

    function test_AnOpeningCountsOnce() public {
        Terms memory t = chargingTerms("a");
        bytes32 id = openSigned(t, 10e6);
        bytes memory payeeAuth = acceptance(t);
        bytes memory signature = signOpening(id, 10e6);
        vm.expectPartialRevert(MachinePurse.PaymentUsed.selector);
        purse.openAgreement(t, payeeAuth, 10e6, FAR, signature);
        signature = signOpening(id, 11e6);
        vm.expectPartialRevert(ClearingHouse.AgreementExists.selector);
        purse.openAgreement(t, payeeAuth, 11e6, FAR, signature);
    }

    function test_ATopUpCountsOnce() public {
        bytes32 id = openSigned(chargingTerms("a"), 10e6);
        topUpSigned(id, 5e6, "a");
        bytes memory signature = signTopUp(id, 5e6, "a");
        vm.expectRevert(
            abi.encodeWithSelector(MachinePurse.PaymentUsed.selector, purse.hashTopUp(id, 5e6, "a", FAR))
        );
        purse.fundAgreement(id, 5e6, "a", FAR, signature);
        topUpSigned(id, 5e6, "b");
        assertEq(house.escrowOf(id), 20e6, "each once");
    }

    function test_NotAfterTheDeadline() public {
        Terms memory t = chargingTerms("a");
        bytes memory payeeAuth = acceptance(t);
        bytes32 id = house.hashTerms(t);
        bytes memory signature = signP256Sha256(MACHINE_SECRET, purse.hashOpening(id, 1e6, T0 - 1));
        vm.expectRevert(abi.encodeWithSelector(MachinePurse.DeadlineExpired.selector, T0 - 1, T0));
        purse.openAgreement(t, payeeAuth, 1e6, T0 - 1, signature);
        openSigned(t, 1e6);
        signature = signP256Sha256(MACHINE_SECRET, purse.hashTopUp(id, 1e6, "a", T0 - 1));
        vm.expectRevert(abi.encodeWithSelector(MachinePurse.DeadlineExpired.selector, T0 - 1, T0));
        purse.fundAgreement(id, 1e6, "a", T0 - 1, signature);
    }

    function test_NothingElseThanWhatWasSigned(uint8 what) public {
        Terms memory t = chargingTerms("a");
        bytes32 id = house.hashTerms(t);
        bytes memory signature = signOpening(id, 10e6);
        uint256 amount = 10e6;
        uint256 deadline = FAR;
        if (what % 3 == 0) t.salt = "b";
        if (what % 3 == 1) amount += 1;
        if (what % 3 == 2) deadline -= 1;
        bytes memory payeeAuth = acceptance(t);
        vm.expectPartialRevert(MachinePurse.MachineSignatureInvalid.selector);
        purse.openAgreement(t, payeeAuth, amount, deadline, signature);
    }

    function test_AWordForOneThingIsNoneForAnother() public {
        Terms memory t = chargingTerms("a");
        bytes32 id = house.hashTerms(t);
        bytes memory payeeAuth = acceptance(t);
        bytes memory signature = signTopUp(id, 10e6, "a");
        vm.expectPartialRevert(MachinePurse.MachineSignatureInvalid.selector);
        purse.openAgreement(t, payeeAuth, 10e6, FAR, signature);
        // The bare id, which an account of secp256k1 would sign, is nothing here either.
        signature = signP256Sha256(MACHINE_SECRET, id);
        vm.expectPartialRevert(MachinePurse.MachineSignatureInvalid.selector);
        purse.openAgreement(t, payeeAuth, 10e6, FAR, signature);
    }

    // --- the lines of the policy ----------------------------------------------------------------------------------------

    function refuseOpening(Terms memory t, uint256 amount, bytes memory refusal) private {
        bytes memory signature = signOpening(house.hashTerms(t), amount);
        bytes memory payeeAuth = t.payee == address(till) ? acceptance(t) : bytes("");
        vm.expectRevert(refusal);
        purse.openAgreement(t, payeeAuth, amount, FAR, signature);
    }

    function refuseTopUp(bytes32 id, uint256 amount, bytes memory refusal) private {
        bytes memory signature = signTopUp(id, amount, "refused");
        vm.expectRevert(refusal);
        purse.fundAgreement(id, amount, "refused", FAR, signature);
    }

    function refuseBoth(Terms memory t, bytes32 id, uint256 amount, bytes memory refusal) private {
        refuseOpening(t, amount, refusal);
        refuseTopUp(id, amount, refusal);
    }

    function test_EachLineRefusesByItsName() public {
        bytes32 id = openSigned(voucherTerms("open"), 1e6);
        Terms memory t = voucherTerms("a");
        refuseBoth(
            t,
            id,
            PER_PAYMENT + 1,
            abi.encodeWithSelector(SpendingPolicy.PaymentAboveLimit.selector, PER_PAYMENT + 1, PER_PAYMENT)
        );
        vm.prank(owner);
        purse.setPaused(true);
        refuseBoth(t, id, 1e6, abi.encodeWithSelector(SpendingPolicy.PolicyPaused.selector));
        vm.prank(owner);
        purse.setPaused(false);

        Policy memory policy = usualPolicy();
        vm.prank(owner);
        purse.setPolicy(address(euro), policy);
        refuseBoth(t, id, 1e6, abi.encodeWithSelector(SpendingPolicy.CounterpartyRefused.selector, address(till)));
        vm.prank(owner);
        purse.setPolicy(address(euro), chargingPolicy());

        openSigned(voucherTerms("b"), 29e6);
        openSigned(voucherTerms("c"), 30e6);
        topUpSigned(id, 30e6, "a");
        refuseBoth(
            t,
            id,
            10e6 + 1,
            abi.encodeWithSelector(SpendingPolicy.DayLimitExceeded.selector, TODAY, 90e6, 10e6 + 1, PER_DAY)
        );
        vm.warp(EXPIRY + 1);
        refuseBoth(
            t,
            id,
            1e6,
            abi.encodeWithSelector(SpendingPolicy.PolicyExpired.selector, EXPIRY, uint256(EXPIRY) + 1)
        );
        vm.warp(T0);
        t.asset = address(linear);
        refuseOpening(t, 1e6, abi.encodeWithSelector(SpendingPolicy.PolicyMissing.selector, address(linear)));
    }

    function test_OnlyAgreementsInWhichTheAccountPays() public {
        Terms memory t = chargingTerms("a");
        t.payer = stranger;
        refuseOpening(
            t, 1e6, abi.encodeWithSelector(MachineAccount.PayerDiffers.selector, stranger, address(purse))
        );
        bytes32 id = house.hashTerms(t);
        bytes memory payeeAuth = acceptance(t);
        vm.prank(stranger);
        house.open(t, "", payeeAuth);
        refuseTopUp(
            id, 1e6, abi.encodeWithSelector(MachineAccount.PayerDiffers.selector, stranger, address(purse))
        );
    }

    function test_ThePayeeMustHaveAgreed() public {
        Terms memory t = chargingTerms("a");
        bytes memory signature = signOpening(house.hashTerms(t), 1e6);
        vm.expectPartialRevert(ClearingHouse.PartyNotAuthorized.selector);
        purse.openAgreement(t, "", 1e6, FAR, signature);
    }

    function test_AnUnknownAgreementIsNotFilled() public {
        bytes memory signature = signTopUp("none", 1e6, "a");
        vm.expectRevert();
        purse.fundAgreement("none", 1e6, "a", FAR, signature);
    }

    function test_AClosedAgreementIsNotFilled() public {
        bytes32 id = openSigned(chargingTerms("a"), 1e6);
        onHouse(till, chargerOwner, abi.encodeCall(house.close, (id)));
        bytes memory signature = signTopUp(id, 1e6, "a");
        vm.expectRevert();
        purse.fundAgreement(id, 1e6, "a", FAR, signature);
        (, uint256 spent,) = purse.policyOf(address(euro));
        assertEq(spent, 1e6, "a refusal counts nothing");
    }

    function test_TheKeyGivesNoStreamOfItsOwnMachineAway() public {
        Terms memory t = chargingTerms("a");
        t.machineId = machineId;
        refuseOpening(t, 1e6, abi.encodeWithSelector(MachineAccount.OwnStreamsRefused.selector, machineId));

        // Nor one of a machine that belongs to the account.
        uint256 part = activeMachine(registry, owner, 13);
        vm.prank(owner);
        registry.transferFrom(owner, address(purse), part);
        t.machineId = part;
        refuseOpening(t, 1e6, abi.encodeWithSelector(MachineAccount.OwnStreamsRefused.selector, part));

        // The owner himself may.
        t.machineId = machineId;
        bytes memory payeeAuth = acceptance(t);
        onHouse(purse, owner, abi.encodeCall(house.open, (t, "", payeeAuth)));
        assertEq(uint256(house.statusOf(house.hashTerms(t))), uint256(Status.Open), "open");
    }

    // --- the charger sells ----------------------------------------------------------------------------------------------

    function assertNotAccepted(Terms memory t, bytes memory refusal) private view {
        bytes32 id = house.hashTerms(t);
        bytes memory signature = acceptance(t);
        assertEq(keccak256(till.explainSignature(id, signature)), keccak256(refusal), "why the account refuses");
        assertTrue(till.isValidSignature(id, signature) == bytes4(0xffffffff), "refused by ERC-1271");
    }

    function test_TheKeySellsToAnybodyWhileItsOwnerLetsIt() public {
        Terms memory t = chargingTerms("a");
        t.payer = stranger;
        bytes memory payeeAuth = acceptance(t);
        assertTrue(
            till.isValidSignature(house.hashTerms(t), payeeAuth) == IERC1271.isValidSignature.selector, "valid"
        );
        vm.prank(stranger);
        bytes32 id = house.open(t, "", payeeAuth);
        assertEq(house.ownerOf(uint256(id)), address(till), "sold");
        assertEq(till.sellsUntil(address(euro)), SELLS_UNTIL, "until then");
    }

    function test_WithoutHisLeaveItSellsNothing() public {
        Terms memory t = chargingTerms("a");
        vm.prank(chargerOwner);
        till.setSelling(address(euro), 0);
        assertNotAccepted(t, abi.encodeWithSelector(MachineAccount.SellingMissing.selector, address(euro)));
        vm.prank(chargerOwner);
        till.setSelling(address(euro), SELLS_UNTIL);
        vm.prank(chargerOwner);
        till.setPaused(true);
        assertNotAccepted(t, abi.encodeWithSelector(SpendingPolicy.PolicyPaused.selector));
        vm.prank(chargerOwner);
        till.setPaused(false);
        vm.warp(SELLS_UNTIL + 1);
        assertNotAccepted(
            t,
            abi.encodeWithSelector(MachineAccount.SellingExpired.selector, SELLS_UNTIL, uint256(SELLS_UNTIL) + 1)
        );
        vm.warp(T0);
        vm.prank(chargerOwner);
        registry.suspend(chargerId);
        assertNotAccepted(t, abi.encodeWithSelector(MachinePurse.MachineNotActive.selector, chargerId));
        vm.prank(chargerOwner);
        registry.resume(chargerId);
        vm.prank(chargerOwner);
        registry.transferFrom(chargerOwner, stranger, chargerId);
        assertNotAccepted(t, abi.encodeWithSelector(MachineAccount.SellingMissing.selector, address(euro)));
    }

    function test_NobodyElseLetsItSell() public {
        vm.prank(stranger);
        vm.expectRevert(
            abi.encodeWithSelector(MachinePurse.NotAccountOwner.selector, stranger, chargerOwner)
        );
        till.setSelling(address(euro), SELLS_UNTIL);
    }

    function test_WhatWasAcceptedBeforeASaleIsVoid() public {
        Terms memory t = chargingTerms("a");
        bytes32 id = house.hashTerms(t);
        bytes memory before = acceptance(t);
        vm.prank(chargerOwner);
        registry.transferFrom(chargerOwner, stranger, chargerId);
        vm.prank(stranger);
        till.setSelling(address(euro), SELLS_UNTIL);
        assertTrue(till.isValidSignature(id, before) == bytes4(0xffffffff), "the seller's");
        assertTrue(till.isValidSignature(id, acceptance(t)) == IERC1271.isValidSignature.selector, "the buyer's");
    }

    function test_AnAcceptanceIsOfItsTermsAndItsAccount(bytes32 other) public view {
        Terms memory t = chargingTerms("a");
        bytes32 id = house.hashTerms(t);
        vm.assume(other != id);
        assertEq(
            keccak256(till.explainSignature(other, acceptance(t))),
            keccak256(abi.encodeWithSelector(MachinePurse.HashMismatch.selector, other, id)),
            "another hash"
        );
        t.payee = stranger;
        assertNotAccepted(
            t, abi.encodeWithSelector(MachineAccount.PayeeDiffers.selector, stranger, address(till))
        );
        t.payee = address(till);
        t.payer = address(till);
        assertNotAccepted(t, abi.encodeWithSelector(MachineAccount.PayerIsPayee.selector, address(till)));
    }

    function test_AsPayerTheKeyHasNoSignatureByERC1271() public {
        Terms memory t = chargingTerms("a");
        bytes32 id = house.hashTerms(t);
        bytes memory proof = signP256Sha256(MACHINE_SECRET, purse.hashAcceptance(id));
        bytes memory payerAuth = bytes.concat(hex"02", abi.encode(t, proof));
        bytes memory payeeAuth = acceptance(t);
        vm.expectPartialRevert(ClearingHouse.PartyNotAuthorized.selector);
        house.open(t, payerAuth, payeeAuth);
        vm.prank(owner);
        purse.setSelling(address(euro), SELLS_UNTIL);
        vm.expectPartialRevert(ClearingHouse.PartyNotAuthorized.selector);
        house.open(t, payerAuth, payeeAuth);
    }

    function test_AStrangersAccountIsNoParty() public {
        Terms memory t = chargingTerms("a");
        t.machineId = activeMachine(registry, stranger, 14);
        bytes memory payeeAuth = acceptance(t);
        bytes memory signature = signOpening(house.hashTerms(t), 1e6);
        vm.expectRevert(
            abi.encodeWithSelector(ITermsRefusals.MachineOwnerNotParty.selector, t.machineId, stranger)
        );
        purse.openAgreement(t, payeeAuth, 1e6, FAR, signature);
    }

    /// @notice The account has the position, and its owner ends what a thief of the key has agreed to.
    function test_TheOwnerEndsWhatTheKeySold() public {
        Terms memory t = chargingTerms("a");
        t.payer = stranger;
        bytes memory payeeAuth = acceptance(t);
        vm.prank(stranger);
        bytes32 id = house.open(t, "", payeeAuth);
        onHouse(till, chargerOwner, abi.encodeCall(house.close, (id)));
        openSigned(chargingTerms("b"), 1e6);
    }

    // --- attacks --------------------------------------------------------------------------------------------------------

    function test_AfterASaleTheTrucksKeySpendsNothing() public {
        bytes32 id = openSigned(chargingTerms("a"), 5e6);
        Terms memory t = voucherTerms("b");
        bytes memory payeeAuth = acceptance(t);
        bytes memory opening = signOpening(house.hashTerms(t), 5e6);
        bytes memory topUp = signTopUp(id, 5e6, "a");
        vm.prank(owner);
        registry.transferFrom(owner, stranger, machineId);
        vm.expectPartialRevert(MachinePurse.MachineSignatureInvalid.selector);
        purse.openAgreement(t, payeeAuth, 5e6, FAR, opening);
        vm.expectPartialRevert(MachinePurse.MachineSignatureInvalid.selector);
        purse.fundAgreement(id, 5e6, "a", FAR, topUp);
        refuseBoth(t, id, 5e6, abi.encodeWithSelector(SpendingPolicy.PolicyMissing.selector, address(euro)));
    }

    function test_ARevokedKeyOpensNothing() public {
        vm.prank(owner);
        registry.revoke(machineId);
        refuseOpening(
            chargingTerms("a"), 1e6, abi.encodeWithSelector(MachinePurse.MachineNotActive.selector, machineId)
        );
    }

    function test_WhatIsSignedForOneAccountIsNothingToAnother() public {
        bytes memory proof = signP256Sha256(MACHINE_SECRET, controlledDigest(registry, owner, machineId, "salt"));
        uint256 controlled = registry.registerControlled(owner, machineId, "salt", FAR, proof);
        MachineAccount second = createAccount(controlled);
        vm.startPrank(owner);
        registry.activate(controlled);
        second.setPolicy(address(euro), chargingPolicy());
        vm.stopPrank();
        euro.mint(address(second), 100e6);
        Terms memory t = chargingTerms("a");
        t.payer = address(second);
        bytes32 id = house.hashTerms(t);
        bytes memory payeeAuth = acceptance(t);
        bytes memory signature = signOpening(id, 1e6);
        vm.expectPartialRevert(MachinePurse.MachineSignatureInvalid.selector);
        second.openAgreement(t, payeeAuth, 1e6, FAR, signature);
        signature = signP256Sha256(MACHINE_SECRET, second.hashOpening(id, 1e6, FAR));
        second.openAgreement(t, payeeAuth, 1e6, FAR, signature);
    }

    function test_AnotherClearingHouseIsNothingToTheAccount() public {
        ClearingHouse other = Deploy.clearingHouse(registry);
        Terms memory t = chargingTerms("a");
        bytes32 id = other.hashTerms(t);
        assertTrue(id != house.hashTerms(t), "another id there");
        assertEq(
            keccak256(till.explainSignature(id, acceptance(t))),
            keccak256(abi.encodeWithSelector(MachinePurse.HashMismatch.selector, id, house.hashTerms(t))),
            "its signature is good for one house"
        );
        // The owner may open whatever he likes there; the key fills nothing of it.
        t = voucherTerms("a");
        t.payee = stranger;
        id = other.hashTerms(t);
        bytes memory ownerAuth = bytes.concat(hex"00", signAccount(OWNER_SECRET, purse.hashOwnerSignature(id)));
        vm.prank(stranger);
        other.open(t, ownerAuth, "");
        bytes memory signature = signTopUp(id, 1e6, "a");
        vm.expectPartialRevert(Accounts.AgreementNotOpen.selector);
        purse.fundAgreement(id, 1e6, "a", FAR, signature);
    }

    /// @notice Whatever a thief does with the truck's key, the charger's being with him: a day takes no more than the day's limit, by
    /// payments, openings and top-ups together, closed and brought home in between; and nothing goes to anybody else.
    function test_AStolenKeyTakesNoMoreThanThePolicyLets(uint256 seed) public {
        uint256 had = euro.balanceOf(address(purse));
        bytes32 last;
        for (uint256 day = 0; day < 2; ++day) {
            vm.warp((TODAY + day) * 1 days + 1);
            uint256 before = outside();
            for (uint256 i = 0; i < 8; ++i) {
                seed = uint256(keccak256(abi.encode(seed, i)));
                last = steal(seed, last);
            }
            assertTrue(outside() <= before + PER_DAY, "within the day");
        }
        assertEq(euro.balanceOf(stranger), 0, "nothing to others");
        assertEq(
            euro.balanceOf(address(till)) + euro.balanceOf(address(house)) + euro.balanceOf(address(purse)),
            had,
            "nothing elsewhere"
        );
        vm.warp(T0);
    }

    /// @dev What has left the account and is not the account's in the clearing house.
    function outside() private view returns (uint256) {
        return euro.balanceOf(address(till)) + euro.balanceOf(address(house))
            - house.balanceOfAsset(address(purse), address(euro));
    }

    function steal(uint256 seed, bytes32 last) private returns (bytes32) {
        uint256 amount = (seed >> 8) % 60e6;
        uint256 what = seed % 5;
        if (what == 0) {
            Payment memory payment = Payment(address(euro), address(till), amount, bytes32(seed), FAR);
            if (seed & 0x80 != 0) payment.to = stranger;
            bytes memory signature = signPayment(payment);
            try purse.pay(payment, signature) {} catch {}
        } else if (what == 1 || last == 0) {
            Terms memory t = voucherTerms(bytes32(seed));
            bytes32 id = house.hashTerms(t);
            bytes memory payeeAuth = acceptance(t);
            bytes memory signature = signOpening(id, amount);
            try purse.openAgreement(t, payeeAuth, amount, FAR, signature) {
                return id;
            } catch {}
        } else if (what == 2) {
            bytes memory signature = signTopUp(last, amount, bytes32(seed));
            try purse.fundAgreement(last, amount, bytes32(seed), FAR, signature) {} catch {}
        } else if (what == 3) {
            settleCharged(last, amount);
            house.credit(ids(last));
            till.reclaim(address(euro));
        } else {
            vm.prank(chargerOwner);
            try till.execute(address(house), 0, abi.encodeCall(house.close, (last)), 0) {} catch {}
            purse.reclaim(address(euro));
        }
        return last;
    }
}
