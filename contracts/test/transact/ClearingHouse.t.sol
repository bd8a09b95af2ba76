// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ClearingHouse} from "../../src/transact/ClearingHouse.sol";
import {Settlement} from "../../src/transact/Settlement.sol";
import {ITermsRefusals} from "../../src/transact/TermsRules.sol";
import {Deposits} from "../../src/transact/Deposits.sol";
import {Accounts} from "../../src/transact/Accounts.sol";
import {StreamClaims} from "../../src/transact/StreamClaims.sol";
import {Limit, Meter, MeterValue, SIGNER_ACCOUNT, SkipReason, Status, Terms} from "../../src/transact/Terms.sol";
import {Key} from "../../src/trust/Key.sol";
import {StreamHead} from "../../src/trust/MachineRegistry.sol";
import {ContractWallet} from "../support/ContractWallet.sol";
import {Fixture} from "../support/Fixture.sol";
import {Deploy} from "../support/Deploy.sol";

contract ClearingHouseTest is Fixture {
    address private stranger = account("stranger");
    address private buyer = account("buyer");

    function setUp() public {
        deployWorld();
    }

    // --- open -----------------------------------------------------------------------------------------------------

    function test_OpensWithBothSignaturesAndMintsThePosition() public {
        Terms memory t = siloTerms("a");
        bytes32 id = house.hashTerms(t);
        bytes memory payerAuth = signAccount(PAYER_SECRET, id);
        bytes memory payeeAuth = signAccount(PAYEE_SECRET, id);
        vm.expectEmit(true, true, true, true, address(house));
        emit ClearingHouse.Opened(id, payer, payee, t);
        assertEq(house.open(t, payerAuth, payeeAuth), id, "id");
        assertEq(house.ownerOf(uint256(id)), payee, "position");
        assertEq(uint256(house.statusOf(id)), uint256(Status.Open), "status");
        assertEq(keccak256(abi.encode(house.termsOf(id))), keccak256(abi.encode(t)), "terms");
        vm.expectRevert(abi.encodeWithSelector(ClearingHouse.AgreementExists.selector, id));
        house.open(t, payerAuth, payeeAuth);
    }

    function test_ASenderNeedsNoSignatureAndAContractSignsByErc1271() public {
        Terms memory t = siloTerms("a");
        ContractWallet wallet = new ContractWallet(payer);
        t.payer = address(wallet);
        bytes32 id = house.hashTerms(t);
        bytes memory auth = signAccount(PAYER_SECRET, id);
        vm.prank(payee);
        house.open(t, auth, "");
        assertEq(house.ownerOf(uint256(id)), payee, "position");
    }

    function test_INV08_AuthorisationOfOtherTermsPartyHouseOrChainRefused() public {
        Terms memory t = siloTerms("a");
        bytes32 id = house.hashTerms(t);
        bytes memory payerAuth = signAccount(PAYER_SECRET, id);
        bytes memory payeeAuth = signAccount(PAYEE_SECRET, id);

        Terms memory other = siloTerms("b");
        bytes32 otherId = house.hashTerms(other);
        vm.expectRevert(abi.encodeWithSelector(ClearingHouse.PartyNotAuthorized.selector, otherId, payer));
        house.open(other, payerAuth, payeeAuth);
        vm.expectRevert(abi.encodeWithSelector(ClearingHouse.PartyNotAuthorized.selector, id, payee));
        house.open(t, payerAuth, payerAuth);
        ClearingHouse another = Deploy.clearingHouse(registry);
        vm.expectPartialRevert(ClearingHouse.PartyNotAuthorized.selector);
        another.open(t, payerAuth, payeeAuth);
        vm.chainId(HOME_CHAIN + 1);
        vm.expectPartialRevert(ClearingHouse.PartyNotAuthorized.selector);
        house.open(t, payerAuth, payeeAuth);
    }

    function test_OpensOnlyBeforeOpenBy() public {
        Terms memory t = siloTerms("a");
        vm.warp(t.openBy);
        bytes32 id = house.hashTerms(t);
        bytes memory payerAuth = signAccount(PAYER_SECRET, id);
        bytes memory payeeAuth = signAccount(PAYEE_SECRET, id);
        vm.expectRevert(abi.encodeWithSelector(ClearingHouse.OpenByPassed.selector, id, t.openBy, t.openBy));
        house.open(t, payerAuth, payeeAuth);
        vm.warp(t.openBy - 1);
        house.open(t, payerAuth, payeeAuth);
    }

    function test_UnsoundTermsRefused() public {
        Terms memory t = siloTerms("a");
        t.payer = address(0);
        refuse(t, ITermsRefusals.PartyZero.selector);
        t = siloTerms("a");
        t.payee = address(0);
        refuse(t, ITermsRefusals.PartyZero.selector);
        t = siloTerms("a");
        t.asset = stranger;
        refuse(t, ITermsRefusals.AssetHasNoCode.selector);
        t = siloTerms("a");
        t.capMinor = uint256(type(uint96).max) + 1;
        refuse(t, ITermsRefusals.AmountTooLarge.selector);
        t = siloTerms("a");
        t.periodSeconds = 0;
        refuse(t, ITermsRefusals.PeriodsRefused.selector);
        t = siloTerms("a");
        t.periods = 0;
        refuse(t, ITermsRefusals.PeriodsRefused.selector);
        t = siloTerms("a");
        (t.periodSeconds, t.periods) = (631_152_001, 1); // 20 years and a second
        refuse(t, ITermsRefusals.PeriodsRefused.selector);
        (t.periodSeconds, t.periods) = (type(uint32).max, type(uint32).max);
        refuse(t, ITermsRefusals.PeriodsRefused.selector);
        t = siloTerms("a");
        t.limits = new Limit[](2);
        refuse(t, ITermsRefusals.RegisterCountRefused.selector);
        t = siloTerms("a");
        t.meters = new Meter[](0);
        t.limits = new Limit[](33);
        refuse(t, ITermsRefusals.RegisterCountRefused.selector);
        t = siloTerms("a");
        t.signerKind = 5;
        refuse(t, ITermsRefusals.SignerRefused.selector);
        t = siloTerms("a");
        t.signer = bytes32(uint256(99));
        refuse(t, ITermsRefusals.SignerRefused.selector);
        t = siloTerms("a");
        t.signerKind = SIGNER_ACCOUNT;
        t.signer = bytes32(uint256(1) << 160);
        refuse(t, ITermsRefusals.SignerRefused.selector);
        t.signer = 0;
        refuse(t, ITermsRefusals.SignerRefused.selector);
        t = siloTerms("a");
        t.tariffData = linearData(2, 1, 0);
        refuse(t, ITermsRefusals.TariffRefused.selector);
        t.tariffData = "";
        refuse(t, ITermsRefusals.TariffRefused.selector);
        t = siloTerms("a");
        t.machineId = 99;
        refuse(t, IERC721Errors.ERC721NonexistentToken.selector);
        t = siloTerms("a");
        t.machineId = activeMachine(registry, stranger, 12);
        refuse(t, ITermsRefusals.MachineOwnerNotParty.selector);
    }

    function test_ATK_OneStreamBilledTwiceIsRefusedUnlessBothShare() public {
        Terms memory t = siloTerms("a");
        bytes32 exclusive = openSigned(t);
        Terms memory second = siloTerms("b");
        refuse(second, StreamClaims.StreamTaken.selector);
        second.shared = true;
        refuse(second, StreamClaims.StreamTaken.selector);
        second.meters[0].stream = "energy";
        bytes32 shared = openSigned(second);
        Terms memory third = siloTerms("c");
        third.meters[0].stream = "energy";
        refuse(third, StreamClaims.StreamTaken.selector);
        third.shared = true;
        bytes32 sharedToo = openSigned(third);

        // a closed agreement holds no stream
        vm.startPrank(payee);
        house.close(exclusive);
        house.close(shared);
        house.close(sharedToo);
        vm.stopPrank();
        openSigned(siloTerms("d"));
        Terms memory last = siloTerms("e");
        last.meters[0].stream = "energy";
        openSigned(last);
    }

    function test_OneAgreementMayMeterAStreamTwice() public {
        Terms memory t = siloTerms("a");
        t.meters = new Meter[](2);
        t.meters[0] = Meter("level", keccak256("drawdown"), 0);
        t.meters[1] = Meter("level", keccak256("count"), 0);
        t.limits = new Limit[](2);
        t.tariffData = linearData(2, 1, 0);
        bytes32 id = openSigned(t);
        vm.prank(payee);
        house.close(id);
        openSigned(siloTerms("b"));
    }

    // --- fund -----------------------------------------------------------------------------------------------------

    function test_TestEuroIsAEuroOfSixDecimalsThatAnyoneMints() public {
        vm.prank(stranger);
        euro.mint(buyer, 5);
        assertEq(euro.balanceOf(buyer), 5, "minted");
        assertEq(euro.decimals(), 6, "decimals");
        assertEq(keccak256(bytes(euro.symbol())), keccak256("tEUR"), "symbol");
    }

    function test_AnyoneFunds() public {
        bytes32 id = openSigned(siloTerms("a"));
        euro.mint(stranger, 500);
        vm.startPrank(stranger);
        euro.approve(address(house), 500);
        vm.expectEmit(true, true, true, true, address(house));
        emit Deposits.Funded(id, stranger, 500, 500);
        house.fund(id, 500);
        vm.stopPrank();
        assertEq(house.escrowOf(id), 500, "escrow");
        vm.expectRevert(abi.encodeWithSelector(Accounts.AgreementNotOpen.selector, bytes32("x"), Status.None));
        house.fund("x", 1);
    }

    function test_AmountsAbove96BitsRefused() public {
        bytes32 id = openFunded(siloTerms("a"), type(uint96).max);
        euro.mint(payer, 1);
        vm.startPrank(payer);
        euro.approve(address(house), 1);
        vm.expectPartialRevert(ITermsRefusals.AmountTooLarge.selector);
        house.fund(id, 1);
        vm.stopPrank();
    }

    // --- settle ---------------------------------------------------------------------------------------------------

    function test_ASignedMeterValueIsThePayment() public {
        bytes32 id = openFunded(siloTerms("a"), 10_000);
        vm.warp(start + 3600);
        MeterValue memory value = valueOf(id, 0, start + 1800, 4000);
        bytes memory signature = signValue(value);
        vm.expectEmit(true, true, true, true, address(house));
        emit Settlement.Settled(id, 0, value.asOf, value.registers, value.evidenceHead, 4000, 4000, 4000);
        vm.prank(stranger);
        settleOne(value, signature);
        assertEq(house.escrowOf(id), 6000, "escrow");
        assertEq(house.accruedOf(id), 4000, "accrued");
        assertEq(paidOf(id, 0), 4000, "paid");
        house.credit(oneId(id));
        assertEq(house.balanceOfAsset(payee, address(euro)), 4000, "balance");
        assertEq(house.accruedOf(id), 0, "credited");
        vm.prank(payee);
        house.withdraw(address(euro), 4000, buyer);
        assertEq(euro.balanceOf(buyer), 4000, "withdrawn");
    }

    function test_INV06_ReplayedLowerOrEqualMovesNothing() public {
        bytes32 id = openFunded(siloTerms("a"), 10_000);
        vm.warp(start + 3600);
        MeterValue memory value = valueOf(id, 0, start + 1800, 4000);
        settleSigned(value);
        settleSigned(value);
        settleSigned(valueOf(id, 0, start + 1900, 4000));
        settleSigned(valueOf(id, 0, start + 2000, 3999));
        assertEq(house.escrowOf(id), 6000, "escrow");
        settleSigned(valueOf(id, 0, start + 2000, 4001));
        assertEq(house.escrowOf(id), 5999, "escrow");
    }

    function test_EverySkipReason() public {
        bytes32 id = openFunded(siloTerms("a"), 10_000);
        uint256 now_ = start + DAY;
        vm.warp(now_);
        MeterValue memory value = valueOf("x", 0, start, 1);
        expectSkip("x", 0, SkipReason.NOT_OPEN);
        settleSigned(value);
        value = valueOf(id, 30, now_, 1);
        expectSkip(id, 30, SkipReason.PERIOD_UNKNOWN);
        settleSigned(value);
        value = valueOf(id, 0, start - 1, 1);
        expectSkip(id, 0, SkipReason.AS_OF_OUTSIDE_PERIOD);
        settleSigned(value);
        value = valueOf(id, 0, start + DAY + 1, 1);
        expectSkip(id, 0, SkipReason.AS_OF_OUTSIDE_PERIOD);
        settleSigned(value);
        value = valueOf(id, 1, now_ + 1, 1);
        expectSkip(id, 1, SkipReason.AS_OF_IN_FUTURE);
        settleSigned(value);
        value = valueOf(id, 0, now_, 1);
        value.registers = new uint256[](2);
        expectSkip(id, 0, SkipReason.REGISTER_COUNT);
        settleSigned(value);
        value = valueOf(id, 0, start + 3600, 2_000_001);
        expectSkip(id, 0, SkipReason.RATE_BOUND);
        settleSigned(value);
        value = valueOf(id, 0, now_, 1);
        bytes memory wrong = signP256Sha256(12, valueDigest(value));
        expectSkip(id, 0, SkipReason.SIGNATURE_INVALID);
        settleOne(value, wrong);
        bytes memory right = signValue(value);
        expectSkip(id, 0, SkipReason.SIGNATURE_INVALID);
        settleOne(value, flipP256(right));
        vm.prank(payee);
        registry.suspend(machineId);
        expectSkip(id, 0, SkipReason.SIGNER_NOT_ACTIVE);
        settleOne(value, right);
        assertEq(house.escrowOf(id), 10_000, "nothing moved");
        vm.prank(payee);
        registry.resume(machineId);
        settleOne(value, right);
        assertEq(house.escrowOf(id), 9_999, "the good one pays");
    }

    function test_TheEndOfAPeriodIsWithinIt() public {
        bytes32 id = openFunded(siloTerms("a"), 10_000);
        vm.warp(start + DAY);
        settleSigned(valueOf(id, 0, start + DAY, 10));
        settleSigned(valueOf(id, 1, start + DAY, 20));
        assertEq(paidOf(id, 0), 10, "period 0");
        assertEq(paidOf(id, 1), 20, "period 1");
    }

    function test_INV08_SignatureCountsForItsHouseChainAndType() public {
        bytes32 id = openFunded(siloTerms("a"), 10_000);
        MeterValue memory value = valueOf(id, 0, start, 1);
        bytes memory signature = signValue(value);
        vm.chainId(HOME_CHAIN + 1);
        expectSkip(id, 0, SkipReason.SIGNATURE_INVALID);
        settleOne(value, signature);
        vm.chainId(HOME_CHAIN);
        // the same struct under the registry's domain
        bytes memory foreign = signP256Sha256(
            MACHINE_SECRET,
            registryDigest(
                registry,
                abi.encode(
                    keccak256(
                        "MeterValue(bytes32 agreementId,uint32 period,uint64 asOf,uint256[] registers,bytes32 evidenceHead)"
                    ),
                    value.agreementId,
                    value.period,
                    value.asOf,
                    keccak256(abi.encodePacked(value.registers)),
                    value.evidenceHead
                )
            )
        );
        expectSkip(id, 0, SkipReason.SIGNATURE_INVALID);
        settleOne(value, foreign);
        // a value of another agreement with the same machine
        Terms memory t = siloTerms("b");
        t.meters[0].stream = "energy";
        bytes32 other = openFunded(t, 10_000);
        value.agreementId = other;
        expectSkip(other, 0, SkipReason.SIGNATURE_INVALID);
        settleOne(value, signature);
    }

    function test_AnAccountSignsItsVoucher() public {
        Terms memory t = siloTerms("a");
        t.meters = new Meter[](0);
        t.machineId = 0;
        t.signerKind = SIGNER_ACCOUNT;
        t.signer = bytes32(uint256(uint160(payer)));
        bytes32 id = openFunded(t, 10_000);
        MeterValue memory value = valueOf(id, 0, start, 700);
        bytes memory signature = signAccount(PAYER_SECRET, valueDigest(value));
        expectSkip(id, 0, SkipReason.SIGNATURE_INVALID);
        settleOne(value, flipAccount(signature));
        expectSkip(id, 0, SkipReason.SIGNATURE_INVALID);
        settleOne(value, "");
        settleOne(value, signature);
        assertEq(paidOf(id, 0), 700, "paid");
    }

    function test_ARotatedKeySignsOn() public {
        bytes32 id = openFunded(siloTerms("a"), 10_000);
        Key memory next = p256Key(12, registry.p256Sha256Verifier());
        StreamHead[] memory heads = new StreamHead[](0);
        bytes32 digest = rotateDigest(registry, machineId, next, heads, 1);
        registry.rotate(machineId, next, heads, FAR, signP256Sha256(MACHINE_SECRET, digest), signP256Sha256(12, digest));
        MeterValue memory value = valueOf(id, 0, start, 5);
        bytes memory old = signValue(value);
        expectSkip(id, 0, SkipReason.SIGNATURE_INVALID);
        settleOne(value, old);
        settleOne(value, signP256Sha256(12, valueDigest(value)));
        assertEq(paidOf(id, 0), 5, "paid");
    }

    function test_INV07_CapBoundsAPeriod() public {
        Terms memory t = siloTerms("a");
        t.capMinor = 100;
        bytes32 id = openFunded(t, 10_000);
        MeterValue memory value = valueOf(id, 0, start, 5000);
        bytes memory signature = signValue(value);
        vm.expectEmit(true, true, true, true, address(house));
        emit Settlement.Settled(id, 0, value.asOf, value.registers, value.evidenceHead, 5000, 100, 100);
        settleOne(value, signature);
        assertEq(provenOf(id, 0), 100, "proven within the cap");
    }

    function test_EscrowShortThenTopUpThenCollect() public {
        bytes32 id = openFunded(siloTerms("a"), 100);
        MeterValue memory value = valueOf(id, 0, start, 350);
        bytes memory signature = signValue(value);
        vm.expectEmit(true, true, true, true, address(house));
        emit Settlement.Settled(id, 0, value.asOf, value.registers, value.evidenceHead, 350, 100, 100);
        vm.expectEmit(true, true, true, true, address(house));
        emit Accounts.EscrowShort(id, 0, 250);
        settleOne(value, signature);
        assertEq(provenOf(id, 0), 350, "on record");

        fundEuro(id, 200);
        vm.expectEmit(true, true, true, true, address(house));
        emit ClearingHouse.Collected(id, 0, 200);
        vm.expectEmit(true, true, true, true, address(house));
        emit Accounts.EscrowShort(id, 0, 50);
        house.collect(id, onePeriod(0));

        // settling the same value again pays arrears as well
        fundEuro(id, 200);
        settleOne(value, signature);
        assertEq(paidOf(id, 0), 350, "paid");
        assertEq(house.escrowOf(id), 150, "escrow");
        house.collect(id, onePeriod(0));
        assertEq(house.escrowOf(id), 150, "no arrears left");
        assertEq(house.accruedOf(id), 350, "accrued");
    }

    function test_CollectTwiceTheSamePeriodPaysOnce() public {
        bytes32 id = openFunded(siloTerms("a"), 100);
        settleSigned(valueOf(id, 0, start, 350));
        fundEuro(id, 1000);
        uint32[] memory periods = new uint32[](2);
        house.collect(id, periods);
        assertEq(paidOf(id, 0), 350, "paid");
        assertEq(house.escrowOf(id), 750, "escrow");
        vm.expectRevert(abi.encodeWithSelector(Accounts.AgreementNotOpen.selector, bytes32("x"), Status.None));
        house.collect("x", periods);
    }

    function test_SettleRefusesListsOfDifferentLength() public {
        vm.expectRevert(abi.encodeWithSelector(Settlement.LengthsDiffer.selector, 1, 0));
        house.settle(new MeterValue[](1), new bytes[](0));
    }

    function testFuzz_INV07_RateBound(uint256 register, uint256 burst, uint256 perHour, uint256 elapsed) public {
        elapsed = bound(elapsed, 0, DAY);
        Terms memory t = siloTerms("a");
        t.limits[0] = Limit(burst, perHour);
        t.tariffData = linearData(1, 0, 0);
        bytes32 id = openSigned(t);
        vm.warp(start + elapsed);
        uint256 rated;
        unchecked {
            uint256 product = perHour * elapsed;
            rated = (elapsed != 0 && product / elapsed != perHour ? type(uint256).max : product) / 3600;
        }
        uint256 most = rated > type(uint256).max - burst ? type(uint256).max : burst + rated;
        MeterValue memory value = valueOf(id, 0, start + elapsed, register);
        bytes memory signature = signValue(value);
        if (register > most) {
            expectSkip(id, 0, SkipReason.RATE_BOUND);
        } else {
            vm.expectEmit(true, true, true, true, address(house));
            emit Settlement.Settled(id, 0, value.asOf, value.registers, value.evidenceHead, 0, 0, 0);
        }
        settleOne(value, signature);
    }

    /// @dev Two agreements, the same values, one in order and one shuffled with repetitions, in any batching.
    function testFuzz_INV06_AnyOrderAndRepetitionEndTheSame(uint256 seed) public {
        bytes32 first = openFunded(siloTerms("a"), 1_000_000);
        Terms memory t = siloTerms("b");
        t.meters[0].stream = "energy";
        bytes32 second = openFunded(t, 1_000_000);
        vm.warp(start + 3 * uint256(DAY));
        uint256 register = 0;
        MeterValue[] memory shuffled = new MeterValue[](8);
        bytes[] memory signatures = new bytes[](8);
        for (uint256 i = 0; i < 8; ++i) {
            uint32 period = uint32(i / 4);
            if (i % 4 == 0) register = 0;
            register += uint256(keccak256(abi.encode(seed, i))) % 10_000;
            uint256 asOf = start + period * DAY + (i % 4) * 1000;
            settleSigned(valueOf(first, period, asOf, register));
            shuffled[i] = valueOf(second, period, asOf, register);
        }
        for (uint256 i = 8; i > 1; --i) {
            uint256 j = uint256(keccak256(abi.encode(seed, "swap", i))) % i;
            (shuffled[i - 1], shuffled[j]) = (shuffled[j], shuffled[i - 1]);
        }
        for (uint256 i = 0; i < 8; ++i) {
            signatures[i] = signValue(shuffled[i]);
            if (seed & (1 << i) != 0) {
                uint256 before = paidOf(second, shuffled[i].period);
                settleOne(shuffled[i], signatures[i]);
                assertTrue(paidOf(second, shuffled[i].period) >= before, "paid never falls");
            }
        }
        house.settle(shuffled, signatures);
        house.settle(shuffled, signatures);
        assertEq(house.escrowOf(first), house.escrowOf(second), "escrow");
        for (uint32 period = 0; period < 2; ++period) {
            assertEq(paidOf(first, period), paidOf(second, period), "paid");
            assertEq(provenOf(first, period), provenOf(second, period), "proven");
        }
    }

    // --- positions ------------------------------------------------------------------------------------------------

    function test_ATransferFirstCreditsTheSeller() public {
        bytes32 id = openFunded(siloTerms("a"), 10_000);
        settleSigned(valueOf(id, 0, start, 300));
        vm.expectEmit(true, true, true, true, address(house));
        emit ClearingHouse.Credited(id, payee, 300);
        vm.prank(payee);
        house.transferFrom(payee, buyer, uint256(id));
        settleSigned(valueOf(id, 0, start, 1000));
        house.credit(oneId(id));
        assertEq(house.balanceOfAsset(payee, address(euro)), 300, "seller");
        assertEq(house.balanceOfAsset(buyer, address(euro)), 700, "buyer");

        vm.prank(payee);
        vm.expectPartialRevert(ClearingHouse.CloseTooEarly.selector);
        house.close(id);
        vm.prank(buyer);
        house.close(id);
    }

    function test_CreditOfNoPositionRefused() public {
        vm.expectPartialRevert(IERC721Errors.ERC721NonexistentToken.selector);
        house.credit(oneId("x"));
    }

    function test_WithdrawNoMoreThanTheBalance() public {
        bytes32 id = openFunded(siloTerms("a"), 10_000);
        settleSigned(valueOf(id, 0, start, 300));
        house.credit(oneId(id));
        vm.startPrank(payee);
        vm.expectRevert(
            abi.encodeWithSelector(
                ClearingHouse.BalanceInsufficient.selector, payee, address(euro), 300, 301
            )
        );
        house.withdraw(address(euro), 301, payee);
        vm.expectEmit(true, true, true, true, address(house));
        emit ClearingHouse.Withdrawn(payee, address(euro), 300, buyer);
        house.withdraw(address(euro), 300, buyer);
        vm.expectPartialRevert(ClearingHouse.BalanceInsufficient.selector);
        house.withdraw(address(euro), 1, buyer);
        vm.stopPrank();
    }

    // --- close ----------------------------------------------------------------------------------------------------

    function test_CloseRefundsThePayerAndLeavesTheEarnedToThePosition() public {
        bytes32 id = openFunded(siloTerms("a"), 10_000);
        MeterValue memory value = valueOf(id, 0, start, 300);
        settleSigned(value);
        Terms memory terms = house.termsOf(id);
        vm.expectEmit(true, true, true, true, address(house));
        emit ClearingHouse.Closed(id, 9_700);
        vm.prank(payee);
        house.close(id);
        assertEq(uint256(house.statusOf(id)), uint256(Status.Closed), "status");
        assertEq(house.balanceOfAsset(payer, address(euro)), 9_700, "refund");
        assertEq(house.accruedOf(id), 300, "earned");
        assertEq(keccak256(abi.encode(house.termsOf(id))), keccak256(abi.encode(terms)), "terms stay");
        house.credit(oneId(id));
        assertEq(house.balanceOfAsset(payee, address(euro)), 300, "credited");

        expectSkip(id, 0, SkipReason.NOT_OPEN);
        settleSigned(value);
        bytes memory refusal = abi.encodeWithSelector(Accounts.AgreementNotOpen.selector, id, Status.Closed);
        vm.expectRevert(refusal);
        house.close(id);
        vm.expectRevert(refusal);
        house.fund(id, 1);
        vm.expectRevert(refusal);
        house.collect(id, onePeriod(0));
        refuse(terms, ClearingHouse.AgreementExists.selector);
    }

    function test_AnyoneClosesOnceAllIsOver() public {
        Terms memory t = siloTerms("a");
        bytes32 id = openFunded(t, 10_000);
        uint256 end = uint256(start) + uint256(DAY) * 30 + 7200 + 7 * uint256(DAY);
        vm.warp(end);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(ClearingHouse.CloseTooEarly.selector, id, end, end));
        house.close(id);
        vm.warp(end + 1);
        vm.prank(stranger);
        house.close(id);
        assertEq(house.balanceOfAsset(payer, address(euro)), 10_000, "refund");
    }

    function test_TermsOfNoAgreementRefused() public {
        vm.expectRevert(abi.encodeWithSelector(Accounts.AgreementNotOpen.selector, bytes32("x"), Status.None));
        house.termsOf("x");
    }
}
