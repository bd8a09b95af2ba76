// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC7913SignatureVerifier} from "@openzeppelin/contracts/interfaces/IERC7913.sol";
import {Settlement} from "../../src/transact/Settlement.sol";
import {ITermsRefusals} from "../../src/transact/TermsRules.sol";
import {
    Limit,
    Meter,
    MeterValue,
    SIGNER_ACCOUNT,
    SIGNER_MACHINE,
    SIGNER_NOBODY,
    SIGNER_QUORUM,
    SkipReason,
    Terms
} from "../../src/transact/Terms.sol";
import {Key} from "../../src/trust/Key.sol";
import {ContractWallet} from "../support/ContractWallet.sol";
import {Quorum} from "../support/Quorum.sol";
import {Deploy} from "../support/Deploy.sol";

contract SignersTest is Quorum {
    function setUp() public {
        deployWorld();
    }

    // --- quorum ---------------------------------------------------------------------------------------------------

    function openQuorum(uint8 threshold, bytes[] memory signers) private returns (bytes32 id) {
        Terms memory t = siloTerms("quorum");
        t.signerKind = SIGNER_QUORUM;
        t.signer = keccak256(abi.encode(threshold, signers));
        return openFunded(t, 10_000);
    }

    function testFuzz_KOfNPayAndFewerDoNot(uint8 threshold, uint256 who) public {
        threshold = uint8(bound(threshold, 1, 3));
        who = bound(who, 0, 7);
        (bytes[] memory signers,) = threeSigners();
        bytes32 id = openQuorum(threshold, signers);
        MeterValue memory value = valueOf(id, 0, start, 10);
        bytes memory signature = signQuorum(valueDigest(value), threshold, who);
        uint256 count = (who & 1) + ((who >> 1) & 1) + (who >> 2);
        if (count < threshold) expectSkip(id, 0, SkipReason.SIGNATURE_INVALID);
        settleOne(value, signature);
        assertEq(paidOf(id, 0), count < threshold ? 0 : 10, "paid");
    }

    /// @dev Each signature is good by itself; the quorum is at fault.
    function refuseQuorum(uint8 threshold, bytes[] memory signers, bytes memory signature) private {
        bytes32 quorum = keccak256(abi.encode(threshold, signers));
        assertTrue(!Deploy.quorumVerifier(registry).verify(quorum, "digest", signature), "refused");
    }

    function test_ATK_UnsoundQuorumsNeverPay() public {
        (bytes[] memory signers, uint256[] memory secrets) = threeSigners();
        bytes[] memory signatures = new bytes[](3);
        bytes32 sound = keccak256(abi.encode(uint8(3), signers));
        assertTrue(Deploy.quorumVerifier(registry).verify(sound, "digest", signAll(3, signers, secrets)), "sound");
        // a threshold of zero, one above n
        refuseQuorum(0, signers, abi.encode(uint8(0), signers, signatures));
        refuseQuorum(4, signers, signAll(4, signers, secrets));
        // unsorted, and the same signer twice
        (signers[0], signers[1]) = (signers[1], signers[0]);
        (secrets[0], secrets[1]) = (secrets[1], secrets[0]);
        refuseQuorum(2, signers, signAll(2, signers, secrets));
        signers[0] = signers[1];
        secrets[0] = secrets[1];
        refuseQuorum(2, signers, signAll(2, signers, secrets));
        // more than sixteen
        refuseQuorum(1, new bytes[](17), abi.encode(uint8(1), new bytes[](17), new bytes[](17)));
        // a verifier which is not allowed: one that says yes to all, and an account that is a contract (ERC-1271)
        Key memory key = p256Key(POINT, address(0));
        bytes[] memory one = new bytes[](1);
        one[0] = abi.encodePacked(address(new YesVerifier()), key.x, key.y);
        bytes[] memory yes = new bytes[](1);
        yes[0] = new bytes(64);
        refuseQuorum(1, one, abi.encode(uint8(1), one, yes));
        one[0] = abi.encodePacked(address(new ContractWallet(vm.addr(FIRST))));
        refuseQuorum(1, one, abi.encode(uint8(1), one, yes));
    }

    function signAll(uint8 threshold, bytes[] memory signers, uint256[] memory secrets)
        private
        pure
        returns (bytes memory)
    {
        bytes[] memory signatures = new bytes[](signers.length);
        for (uint256 i = 0; i < signers.length; ++i) {
            signatures[i] = signAs(secrets[i], "digest");
        }
        return abi.encode(threshold, signers, signatures);
    }

    function test_ABadSignatureOfOneSpoilsTheQuorum() public {
        (bytes[] memory signers, uint256[] memory secrets) = threeSigners();
        bytes32 id = openQuorum(2, signers);
        MeterValue memory value = valueOf(id, 0, start, 10);
        bytes32 digest = valueDigest(value);
        bytes[] memory signatures = new bytes[](3);
        for (uint256 i = 0; i < 2; ++i) {
            signatures[i] = signAs(secrets[i], digest);
        }
        signatures[2] = signAs(secrets[2], "another digest");
        bytes memory spoilt = abi.encode(uint8(2), signers, signatures);
        expectSkip(id, 0, SkipReason.SIGNATURE_INVALID);
        settleOne(value, spoilt);
        signatures[2] = "";
        settleOne(value, abi.encode(uint8(2), signers, signatures));
        assertEq(paidOf(id, 0), 10, "paid");
    }

    function testFuzz_ATK_AMalformedQuorumSignatureSkipsOnlyItsItem(bytes calldata blob, uint256 cut) public {
        (bytes[] memory signers,) = threeSigners();
        bytes32 id = openQuorum(2, signers);
        Terms memory t = otherTerms("good", "energy");
        bytes32 good = openFunded(t, 100);
        MeterValue[] memory values = new MeterValue[](3);
        bytes[] memory signatures = new bytes[](3);
        values[0] = valueOf(id, 0, start, 10);
        signatures[0] = blob;
        values[1] = values[0];
        bytes memory whole = signQuorum(valueDigest(values[0]), 2, 7);
        cut = bound(cut, 0, whole.length - 33);
        assembly {
            mstore(whole, cut)
        }
        signatures[1] = whole;
        values[2] = valueOf(good, 0, start, 7);
        signatures[2] = signValue(values[2]);
        expectSkip(id, 0, SkipReason.SIGNATURE_INVALID);
        expectSkip(id, 0, SkipReason.SIGNATURE_INVALID);
        house.settle(values, signatures);
        assertEq(paidOf(good, 0), 7, "the good one pays");
        assertEq(paidOf(id, 0), 0, "the bad one does not");
    }

    // --- attested -------------------------------------------------------------------------------------------------

    function twoValues() private returns (MeterValue[] memory values) {
        bytes32 first = openFunded(siloTerms("a"), 1000);
        bytes32 second = openFunded(otherTerms("b", "energy"), 1000);
        values = new MeterValue[](2);
        values[0] = valueOf(first, 0, start, 11);
        values[1] = valueOf(second, 0, start, 22);
    }

    function test_OneSignatureSettlesManyAgreements() public {
        MeterValue[] memory values = twoValues();
        bytes memory signature = signP256Sha256(MACHINE_SECRET, valuesDigest(address(house), values));
        house.settleAttested(values, SIGNER_MACHINE, bytes32(machineId), signature);
        assertEq(paidOf(values[0].agreementId, 0), 11, "first");
        assertEq(paidOf(values[1].agreementId, 0), 22, "second");
        // neither half alone, nor as a single value
        MeterValue[] memory half = new MeterValue[](1);
        half[0] = values[0];
        vm.expectPartialRevert(Settlement.AttestationInvalid.selector);
        house.settleAttested(half, SIGNER_MACHINE, bytes32(machineId), signature);
        expectSkip(values[0].agreementId, 0, SkipReason.SIGNATURE_INVALID);
        settleOne(values[0], signature);
        bytes memory single = signValue(values[0]);
        vm.expectPartialRevert(Settlement.AttestationInvalid.selector);
        house.settleAttested(half, SIGNER_MACHINE, bytes32(machineId), single);
        vm.chainId(HOME_CHAIN + 1);
        vm.expectPartialRevert(Settlement.AttestationInvalid.selector);
        house.settleAttested(values, SIGNER_MACHINE, bytes32(machineId), signature);
    }

    function test_AnAttestorSettlesOnlyWhatNamesIt() public {
        MeterValue[] memory values = twoValues();
        Terms memory t = otherTerms("c", "gas");
        t.signerKind = SIGNER_ACCOUNT;
        t.signer = bytes32(uint256(uint160(payer)));
        bytes32 third = openFunded(t, 1000);
        values[0] = valueOf(third, 0, start, 33);
        bytes memory byMachine = signP256Sha256(MACHINE_SECRET, valuesDigest(address(house), values));
        expectSkip(third, 0, SkipReason.SIGNER_DIFFERS);
        house.settleAttested(values, SIGNER_MACHINE, bytes32(machineId), byMachine);
        assertEq(paidOf(values[1].agreementId, 0), 22, "the machine's");
        bytes memory byAccount = signAccount(PAYER_SECRET, valuesDigest(address(house), values));
        expectSkip(values[1].agreementId, 0, SkipReason.SIGNER_DIFFERS);
        house.settleAttested(values, SIGNER_ACCOUNT, t.signer, byAccount);
        assertEq(paidOf(third, 0), 33, "the account's");
    }

    function test_ATK_OnlyActiveMachinesAndAccountsAttest() public {
        MeterValue[] memory values = twoValues();
        bytes memory signature = signP256Sha256(MACHINE_SECRET, valuesDigest(address(house), values));
        vm.expectPartialRevert(Settlement.AttestationInvalid.selector);
        house.settleAttested(values, SIGNER_NOBODY, 0, "");
        vm.expectPartialRevert(Settlement.AttestationInvalid.selector);
        house.settleAttested(values, SIGNER_QUORUM, bytes32(machineId), signature);
        vm.expectPartialRevert(Settlement.AttestationInvalid.selector);
        house.settleAttested(values, SIGNER_ACCOUNT, 0, new bytes(65));
        vm.prank(payee);
        registry.suspend(machineId);
        vm.expectPartialRevert(Settlement.AttestationInvalid.selector);
        house.settleAttested(values, SIGNER_MACHINE, bytes32(machineId), signature);
    }

    // --- nobody ---------------------------------------------------------------------------------------------------

    function timeTerms() private returns (Terms memory t) {
        t = siloTerms("time");
        t.machineId = 0;
        t.meters = new Meter[](0);
        t.limits = new Limit[](0);
        t.signerKind = SIGNER_NOBODY;
        t.signer = 0;
        t.tariff = address(Deploy.planTariff());
        // 86,400 smallest units a day
        t.tariffData = abi.encode(
            new uint256[](0), uint8(0), uint256(DAY), uint32(DAY), uint256(0), type(uint256).max
        );
    }

    function test_TimeAlonePaysWithoutASignature() public {
        bytes32 id = openFunded(timeTerms(), 1_000_000);
        vm.warp(start + 3600);
        MeterValue memory value = MeterValue(id, 0, start + 3600, new uint256[](0), 0);
        settleOne(value, "");
        assertEq(paidOf(id, 0), 3600, "an hour");
        expectSkip(id, 0, SkipReason.SIGNATURE_INVALID);
        settleOne(value, hex"01");
        value.evidenceHead = "evidence";
        expectSkip(id, 0, SkipReason.SIGNATURE_INVALID);
        settleOne(value, "");
        value.asOf += 1;
        expectSkip(id, 0, SkipReason.AS_OF_IN_FUTURE);
        settleOne(value, "");
    }

    function test_TermsThatNobodySignsHaveNoRegisters() public {
        Terms memory t = timeTerms();
        t.limits = new Limit[](1);
        refuse(t, ITermsRefusals.RegisterCountRefused.selector);
        t = timeTerms();
        t.signer = bytes32(uint256(1));
        refuse(t, ITermsRefusals.SignerRefused.selector);
        t = timeTerms();
        t.signerKind = SIGNER_QUORUM;
        refuse(t, ITermsRefusals.SignerRefused.selector);
    }

    // --- registry -------------------------------------------------------------------------------------------------

    /// @dev The registry does itself what its verifiers do.
    function testFuzz_TheRegistryAgreesWithItsVerifiers(bytes32 digest, uint256 flips) public view {
        Key memory key = p256Key(MACHINE_SECRET, address(0));
        bytes memory point = abi.encodePacked(key.x, key.y);
        bytes memory signature = signP256Sha256(MACHINE_SECRET, digest);
        if (flips % 3 == 1) signature = flipP256(signature);
        if (flips % 3 == 2) signature[flips % 64] ^= bytes1(uint8(1 + (flips >> 8) % 255));
        bool good = IERC7913SignatureVerifier(registry.p256Sha256Verifier()).verify(point, digest, signature)
            == IERC7913SignatureVerifier.verify.selector;
        assertTrue(registry.verify(machineId, digest, signature) == good, "hashing");
        assertTrue(good == (flips % 3 == 0), "a flipped bit shows");
    }
}

contract YesVerifier is IERC7913SignatureVerifier {
    function verify(bytes calldata, bytes32, bytes calldata) external pure returns (bytes4) {
        return IERC7913SignatureVerifier.verify.selector;
    }
}
