// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EvidenceAnchor} from "../../src/trust/EvidenceAnchor.sol";
import {Key} from "../../src/trust/Key.sol";
import {MachineRegistry, StreamHead} from "../../src/trust/MachineRegistry.sol";
import {ClearingHouse} from "../../src/transact/ClearingHouse.sol";
import {ITariff} from "../../src/transact/ITariff.sol";
import {Accounts} from "../../src/transact/Accounts.sol";
import {Settlement} from "../../src/transact/Settlement.sol";
import {
    Adjustment,
    Funding,
    Limit,
    Meter,
    MeterValue,
    SIGNER_MACHINE,
    Status,
    Terms
} from "../../src/transact/Terms.sol";
import {QuorumVerifier} from "../../src/trust/QuorumVerifier.sol";
import {Signing} from "../support/Signing.sol";
import {Deploy} from "../support/Deploy.sol";

/// @notice The known answers of docs/protocol/vectors, which the TypeScript side reads too.
contract VectorsTest is Signing {
    string private constant FOLDER = "../docs/protocol/vectors/";

    // --- eip712.json ----------------------------------------------------------------------------------------------

    /// @dev At the addresses and on the chain of the file, so that its signatures are good there.
    function deployAsWritten(string memory json) private returns (MachineRegistry registry, ClearingHouse house) {
        vm.chainId(vm.parseJsonUint(json, ".domains.registry.chainId"));
        address sha = vm.parseJsonAddress(json, ".p256Sha256Verifier");
        vm.etch(sha, address(Deploy.p256Sha256Verifier()).code);
        registry = MachineRegistry(vm.parseJsonAddress(json, ".domains.registry.verifyingContract"));
        vm.etch(address(registry), address(Deploy.machineRegistry(sha, address(Deploy.p256RawVerifier()), address(0))).code);
        house = ClearingHouse(vm.parseJsonAddress(json, ".domains.house.verifyingContract"));
        vm.etch(address(house), address(Deploy.clearingHouse(registry)).code);
    }

    function readKey(string memory json, string memory name, address verifier) private pure returns (Key memory key) {
        string memory path = string.concat(".keys.", name);
        key.curve = uint8(vm.parseJsonUint(json, string.concat(path, ".curve")));
        key.verifier = verifier;
        key.x = vm.parseJsonBytes32(json, string.concat(path, ".x"));
        key.y = vm.parseJsonBytes32(json, string.concat(path, ".y"));
        assertEq(keyIdOf(key), vm.parseJsonBytes32(json, string.concat(path, ".keyId")), "key id");
    }

    function test_RegistryAcceptsTheSignaturesOfTheFile() public {
        string memory json = vm.readFile(string.concat(FOLDER, "eip712.json"));
        (MachineRegistry registry,) = deployAsWritten(json);
        address owner = vm.parseJsonAddress(json, ".register.message.owner");
        uint256 deadline = vm.parseJsonUint(json, ".register.message.deadline");
        Key memory device = readKey(json, "device", registry.p256Sha256Verifier());
        Key memory next = readKey(json, "nextDevice", registry.p256Sha256Verifier());
        Key memory edge = readKey(json, "edge", address(0));

        uint256 machine =
            registry.register(owner, device, deadline, vm.parseJsonBytes(json, ".register.signature"));
        uint256 controller =
            registry.register(owner, edge, deadline, vm.parseJsonBytes(json, ".registerSecp256k1.signature"));
        vm.startPrank(owner);
        registry.activate(machine);
        registry.activate(controller);
        vm.stopPrank();

        assertEq(controller, vm.parseJsonUint(json, ".registerControlled.message.controller"), "controller");
        registry.registerControlled(
            owner,
            controller,
            vm.parseJsonBytes32(json, ".registerControlled.message.salt"),
            deadline,
            vm.parseJsonBytes(json, ".registerControlled.signature")
        );

        StreamHead[] memory heads = new StreamHead[](2);
        for (uint256 i = 0; i < 2; ++i) {
            string memory path = string.concat(".rotate.heads[", vm.toString(i), "]");
            heads[i].stream = vm.parseJsonString(json, string.concat(path, ".stream"));
            heads[i].seq = uint64(vm.parseJsonUint(json, string.concat(path, ".seq")));
            heads[i].digest = vm.parseJsonBytes32(json, string.concat(path, ".digest"));
        }
        assertEq(
            keccak256(abi.encode(heads)), vm.parseJsonBytes32(json, ".rotate.message.headsHash"), "heads hash"
        );
        registry.rotate(
            machine,
            next,
            heads,
            deadline,
            vm.parseJsonBytes(json, ".rotate.oldSignature"),
            vm.parseJsonBytes(json, ".rotate.newSignature")
        );
        assertEq(registry.keyEpochOf(machine), 2, "rotated");
    }

    function test_RegistryAcceptsTheRekeyOfTheFile() public {
        string memory json = vm.readFile(string.concat(FOLDER, "eip712.json"));
        (MachineRegistry registry,) = deployAsWritten(json);
        address owner = vm.parseJsonAddress(json, ".register.message.owner");
        uint256 deadline = vm.parseJsonUint(json, ".register.message.deadline");
        address sha = registry.p256Sha256Verifier();
        registry.register(
            owner, readKey(json, "device", sha), deadline, vm.parseJsonBytes(json, ".register.signature")
        );
        vm.startPrank(owner);
        registry.revoke(1);
        registry.rekey(1, readKey(json, "nextDevice", sha), deadline, vm.parseJsonBytes(json, ".rekey.signature"));
        vm.stopPrank();
        assertEq(registry.keyEpochOf(1), 2, "rekeyed");
    }

    function test_AgreementIds() public {
        string memory json = vm.readFile(string.concat(FOLDER, "eip712.json"));
        (, ClearingHouse house) = deployAsWritten(json);
        for (uint256 i = 0; i < 2; ++i) {
            string memory path = string.concat(".terms[", vm.toString(i), "]");
            assertEq(
                house.hashTerms(readTerms(json, string.concat(path, ".terms"))),
                vm.parseJsonBytes32(json, string.concat(path, ".agreementId")),
                "agreement id"
            );
        }
    }

    function test_MeterValueDigestAndSignature() public {
        string memory json = vm.readFile(string.concat(FOLDER, "eip712.json"));
        (MachineRegistry registry, ClearingHouse house) = deployAsWritten(json);
        bytes32[] memory digests = vm.parseJsonBytes32Array(json, ".meterValue.evidenceDigests");
        bytes32 evidenceHead = vm.parseJsonBytes32(json, ".meterValue.message.evidenceHead");
        assertEq(keccak256(abi.encodePacked(digests)), evidenceHead, "evidence head");
        MeterValue memory value = readValue(json, ".meterValue.message");
        bytes32 digest = typedDigest("Liquefy ClearingHouse", address(house), valueStructHash(value));
        assertEq(digest, vm.parseJsonBytes32(json, ".meterValue.digest"), "digest");

        registerDevice(json, registry);
        assertTrue(registry.verify(1, digest, vm.parseJsonBytes(json, ".meterValue.signature")), "signature");
    }

    /// @dev The device of the file, as machine 1.
    function registerDevice(string memory json, MachineRegistry registry) private {
        address owner = vm.parseJsonAddress(json, ".register.message.owner");
        registry.register(
            owner,
            readKey(json, "device", registry.p256Sha256Verifier()),
            vm.parseJsonUint(json, ".register.message.deadline"),
            vm.parseJsonBytes(json, ".register.signature")
        );
        vm.prank(owner);
        registry.activate(1);
    }

    function test_OneSignatureOverManyMeterValues() public {
        string memory json = vm.readFile(string.concat(FOLDER, "eip712.json"));
        (MachineRegistry registry, ClearingHouse house) = deployAsWritten(json);
        registerDevice(json, registry);
        MeterValue[] memory values = new MeterValue[](2);
        values[0] = readValue(json, ".meterValues.message.values[0]");
        values[1] = readValue(json, ".meterValues.message.values[1]");
        bytes memory signature = vm.parseJsonBytes(json, ".meterValues.signature");
        bytes32 digest = vm.parseJsonBytes32(json, ".meterValues.digest");
        assertTrue(registry.verify(1, digest, signature), "signature");
        // accepted as a whole; the agreements are not open here
        house.settleAttested(values, SIGNER_MACHINE, bytes32(uint256(1)), signature);
        values[1].period += 1;
        vm.expectPartialRevert(Settlement.AttestationInvalid.selector);
        house.settleAttested(values, SIGNER_MACHINE, bytes32(uint256(1)), signature);
    }

    function test_AdjustmentDigestAndSignature() public {
        string memory json = vm.readFile(string.concat(FOLDER, "eip712.json"));
        (MachineRegistry registry, ClearingHouse house) = deployAsWritten(json);
        registerDevice(json, registry);
        string memory path = ".adjustment.message";
        Adjustment memory adjustment = Adjustment(
            vm.parseJsonBytes32(json, string.concat(path, ".agreementId")),
            uint32(number(json, path, ".period")),
            number(json, path, ".amount"),
            vm.parseJsonBytes32(json, string.concat(path, ".evidenceHead"))
        );
        bytes32 digest = adjustmentDigest(address(house), adjustment);
        assertEq(digest, vm.parseJsonBytes32(json, ".adjustment.digest"), "digest");
        assertTrue(registry.verify(1, digest, vm.parseJsonBytes(json, ".adjustment.signature")), "signature");
    }

    function test_FundingDigestSignatureAndNonce() public {
        string memory json = vm.readFile(string.concat(FOLDER, "eip712.json"));
        (, ClearingHouse house) = deployAsWritten(json);
        string memory path = ".funding.message";
        Funding memory funding = Funding(
            vm.parseJsonBytes32(json, string.concat(path, ".agreementId")),
            vm.parseJsonAddress(json, string.concat(path, ".from")),
            number(json, path, ".amount"),
            vm.parseJsonBytes32(json, string.concat(path, ".salt")),
            number(json, path, ".deadline")
        );
        assertEq(fundingDigest(address(house), funding), vm.parseJsonBytes32(json, ".funding.digest"), "digest");
        // the signature is good; the agreement is not open here
        vm.expectRevert(
            abi.encodeWithSelector(Accounts.AgreementNotOpen.selector, funding.agreementId, Status.None)
        );
        house.fundSigned(funding, vm.parseJsonBytes(json, ".funding.signature"), "");
        assertEq(
            keccak256(
                abi.encode(
                    vm.parseJsonBytes32(json, ".authorization.agreementId"),
                    vm.parseJsonBytes32(json, ".authorization.salt")
                )
            ),
            vm.parseJsonBytes32(json, ".authorization.nonce"),
            "nonce"
        );
    }

    function test_QuorumSignature() public {
        string memory json = vm.readFile(string.concat(FOLDER, "eip712.json"));
        (MachineRegistry registry,) = deployAsWritten(json);
        QuorumVerifier quorums = Deploy.quorumVerifier(registry);
        bytes32 digest = vm.parseJsonBytes32(json, ".quorum.digest");
        assertTrue(
            quorums.verify(
                vm.parseJsonBytes32(json, ".quorum.signer"), digest, vm.parseJsonBytes(json, ".quorum.signature")
            ),
            "quorum"
        );
    }

    function readValue(string memory json, string memory path) private pure returns (MeterValue memory value) {
        value.agreementId = vm.parseJsonBytes32(json, string.concat(path, ".agreementId"));
        value.period = uint32(number(json, path, ".period"));
        value.asOf = uint64(number(json, path, ".asOf"));
        value.registers = vm.parseJsonUintArray(json, string.concat(path, ".registers"));
        value.evidenceHead = vm.parseJsonBytes32(json, string.concat(path, ".evidenceHead"));
    }

    function readTerms(string memory json, string memory path) private view returns (Terms memory t) {
        t.payer = vm.parseJsonAddress(json, string.concat(path, ".payer"));
        t.payee = vm.parseJsonAddress(json, string.concat(path, ".payee"));
        t.asset = vm.parseJsonAddress(json, string.concat(path, ".asset"));
        t.machineId = number(json, path, ".machineId");
        t.meters = readMeters(json, string.concat(path, ".meters"));
        t.signerKind = uint8(number(json, path, ".signerKind"));
        t.signer = vm.parseJsonBytes32(json, string.concat(path, ".signer"));
        t.tariff = vm.parseJsonAddress(json, string.concat(path, ".tariff"));
        t.tariffData = vm.parseJsonBytes(json, string.concat(path, ".tariffData"));
        t.limits = readLimits(json, string.concat(path, ".limits"));
        t.capMinor = number(json, path, ".capMinor");
        t.start = uint64(number(json, path, ".start"));
        t.periodSeconds = uint32(number(json, path, ".periodSeconds"));
        t.periods = uint32(number(json, path, ".periods"));
        t.backfillSeconds = uint32(number(json, path, ".backfillSeconds"));
        t.lateSeconds = uint32(number(json, path, ".lateSeconds"));
        t.gapTimeoutSeconds = uint32(number(json, path, ".gapTimeoutSeconds"));
        t.settleSeconds = uint32(number(json, path, ".settleSeconds"));
        t.shared = vm.parseJsonBool(json, string.concat(path, ".shared"));
        t.openBy = uint64(number(json, path, ".openBy"));
        t.salt = vm.parseJsonBytes32(json, string.concat(path, ".salt"));
    }

    function readMeters(string memory json, string memory path) private view returns (Meter[] memory meters) {
        meters = new Meter[](countOf(json, path));
        for (uint256 i = 0; i < meters.length; ++i) {
            string memory entry = element(path, i);
            meters[i].stream = vm.parseJsonString(json, string.concat(entry, ".stream"));
            meters[i].ruleHash = vm.parseJsonBytes32(json, string.concat(entry, ".ruleHash"));
            meters[i].startHead = vm.parseJsonBytes32(json, string.concat(entry, ".startHead"));
        }
    }

    function readLimits(string memory json, string memory path) private view returns (Limit[] memory limits) {
        limits = new Limit[](countOf(json, path));
        for (uint256 i = 0; i < limits.length; ++i) {
            limits[i].burst = number(json, element(path, i), ".burst");
            limits[i].perHour = number(json, element(path, i), ".perHour");
        }
    }

    function number(string memory json, string memory path, string memory name) private pure returns (uint256) {
        return vm.parseJsonUint(json, string.concat(path, name));
    }

    function element(string memory path, uint256 index) private pure returns (string memory) {
        return string.concat(path, "[", vm.toString(index), "]");
    }

    function countOf(string memory json, string memory path) private view returns (uint256 count) {
        while (vm.keyExistsJson(json, element(path, count))) {
            count += 1;
        }
    }

    // --- tariffs.json ---------------------------------------------------------------------------------------------

    function test_LinearTariff() public {
        assertEq(runTariff(Deploy.linearTariff(), ".linear"), 12, "cases run");
    }

    function test_TieredTariff() public {
        assertEq(runTariff(Deploy.tieredTariff(), ".tiered"), 13, "cases run");
    }

    function runTariff(ITariff tariff, string memory path) private view returns (uint256 count) {
        string memory json = vm.readFile(string.concat(FOLDER, "tariffs.json"));
        count = countOf(json, path);
        for (uint256 i = 0; i < count; ++i) {
            string memory entry = element(path, i);
            bytes memory data = vm.parseJsonBytes(json, string.concat(entry, ".data"));
            uint256[] memory registers = vm.parseJsonUintArray(json, string.concat(entry, ".registers"));
            assertTrue(tariff.validate(data, registers.length), "validates");
            string memory expected = string.concat(entry, ".owed");
            try tariff.owed(data, registers, 0) returns (uint256 owed) {
                assertEq(owed, vm.parseJsonUint(json, expected), "owed");
            } catch {
                assertEq(keccak256(bytes(vm.parseJsonString(json, expected))), keccak256("null"), "fails");
            }
        }
        string memory invalid = string.concat(".invalid", path);
        assertTrue(countOf(json, invalid) > 0, "invalid data");
        for (uint256 i = 0; i < countOf(json, invalid); ++i) {
            string memory entry = element(invalid, i);
            try tariff.validate(
                vm.parseJsonBytes(json, string.concat(entry, ".data")), number(json, entry, ".registerCount")
            ) returns (bool accepted) {
                assertTrue(!accepted, "refused");
            } catch {}
        }
    }

    function testFuzz_TariffsAreMonotone(uint64 low, uint64 more, uint32 price, uint32 other, uint32 edge) public {
        uint256[] memory prices = new uint256[](2);
        (prices[0], prices[1]) = (price, other);
        uint256[] memory upTo = new uint256[](1);
        upTo[0] = uint256(edge) + 1;
        uint256[] memory registers = new uint256[](1);
        registers[0] = low;
        ITariff tiered = Deploy.tieredTariff();
        bytes memory data = abi.encode(upTo, prices, uint8(3));
        uint256 before = tiered.owed(data, registers, 0);
        registers[0] = uint256(low) + more;
        assertTrue(tiered.owed(data, registers, 0) >= before, "tiered");

        ITariff linear = Deploy.linearTariff();
        registers = new uint256[](2);
        (registers[0], registers[1]) = (low, more);
        data = abi.encode(prices, uint8(3));
        before = linear.owed(data, registers, 0);
        registers[0] += more;
        assertTrue(linear.owed(data, registers, 0) >= before, "linear");
    }

    // --- consistency.json -----------------------------------------------------------------------------------------

    function test_ConsistencyProofs() public {
        string memory json = vm.readFile(string.concat(FOLDER, "consistency.json"));
        uint256 count = countOf(json, ".cases");
        assertEq(count, 66, "cases run");
        for (uint256 i = 0; i < count; ++i) {
            string memory entry = element(".cases", i);
            EvidenceAnchor anchor = Deploy.evidenceAnchor();
            anchor.anchor(
                uint64(number(json, entry, ".oldSize")),
                vm.parseJsonBytes32(json, string.concat(entry, ".oldRoot")),
                new bytes32[](0)
            );
            anchor.anchor(
                uint64(number(json, entry, ".size")),
                vm.parseJsonBytes32(json, string.concat(entry, ".root")),
                vm.parseJsonBytes32Array(json, string.concat(entry, ".proof"))
            );
        }
    }

    function test_LeafHashes() public view {
        string memory json = vm.readFile(string.concat(FOLDER, "consistency.json"));
        for (uint256 i = 0; i < 12; ++i) {
            string memory entry = element(".leaves", i);
            bytes memory data = abi.encodePacked(
                vm.parseJsonBytes32(json, string.concat(entry, ".digest")),
                uint64(number(json, entry, ".loggedAt")),
                vm.parseJsonString(json, string.concat(entry, ".code"))
            );
            assertEq(
                sha256(abi.encodePacked(bytes1(0), data)),
                vm.parseJsonBytes32(json, string.concat(entry, ".hash")),
                "leaf hash"
            );
        }
    }
}
