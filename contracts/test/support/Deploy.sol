// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC7913P256Verifier} from "@openzeppelin/contracts/utils/cryptography/verifiers/ERC7913P256Verifier.sol";
import {UsageRights} from "../../src/cooperate/UsageRights.sol";
import {ClearingHouse} from "../../src/transact/ClearingHouse.sol";
import {MachineAccount} from "../../src/transact/account/MachineAccount.sol";
import {LinearTariff} from "../../src/transact/tariffs/LinearTariff.sol";
import {PlanTariff} from "../../src/transact/tariffs/PlanTariff.sol";
import {TieredTariff} from "../../src/transact/tariffs/TieredTariff.sol";
import {TestEuro} from "../../src/transact/TestEuro.sol";
import {AllowLists} from "../../src/cooperate/AllowLists.sol";
import {IdentityCompliance, IIdentityRegistry} from "../../src/cooperate/IdentityCompliance.sol";
import {VaultFactory} from "../../src/cooperate/VaultFactory.sol";
import {IEthereumDIDRegistry} from "../../src/trust/account/DidPublisher.sol";
import {EvidenceAnchor} from "../../src/trust/EvidenceAnchor.sol";
import {MachineRegistry} from "../../src/trust/MachineRegistry.sol";
import {P256Sha256Verifier} from "../../src/trust/P256Sha256Verifier.sol";
import {QuorumVerifier} from "../../src/trust/QuorumVerifier.sol";
import {Vm} from "./Test.sol";

/// @title Our contracts as they are built, for tests
/// @notice By their artifacts: a test that says `new` has the compiler optimise the whole contract once more, for each test
/// contract, which took most of the time of a build.
library Deploy {
    error NotCreated(string artifact);

    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function p256Sha256Verifier() internal returns (P256Sha256Verifier) {
        return P256Sha256Verifier(_create("src/trust/P256Sha256Verifier.sol/P256Sha256Verifier.json", ""));
    }

    function p256RawVerifier() internal returns (ERC7913P256Verifier) {
        return ERC7913P256Verifier(_create("@openzeppelin/contracts/utils/cryptography/verifiers/ERC7913P256Verifier.sol/ERC7913P256Verifier.json", ""));
    }

    function machineRegistry(address sha, address raw, address accountImplementation) internal returns (MachineRegistry) {
        return MachineRegistry(
            _create("src/trust/MachineRegistry.sol/MachineRegistry.json", abi.encode(sha, raw, accountImplementation))
        );
    }

    function machineAccount(IEthereumDIDRegistry dids, ClearingHouse house) internal returns (MachineAccount) {
        return MachineAccount(
            payable(_create("src/transact/account/MachineAccount.sol/MachineAccount.json", abi.encode(dids, house)))
        );
    }

    function evidenceAnchor() internal returns (EvidenceAnchor) {
        return EvidenceAnchor(_create("src/trust/EvidenceAnchor.sol/EvidenceAnchor.json", ""));
    }

    function clearingHouse(MachineRegistry registry) internal returns (ClearingHouse) {
        return ClearingHouse(_create("src/transact/ClearingHouse.sol/ClearingHouse.json", abi.encode(registry)));
    }

    function quorumVerifier(MachineRegistry registry) internal returns (QuorumVerifier) {
        return QuorumVerifier(_create("src/trust/QuorumVerifier.sol/QuorumVerifier.json", abi.encode(registry)));
    }

    function testEuro() internal returns (TestEuro) {
        return TestEuro(_create("src/transact/TestEuro.sol/TestEuro.json", ""));
    }

    function linearTariff() internal returns (LinearTariff) {
        return LinearTariff(_create("src/transact/tariffs/LinearTariff.sol/LinearTariff.json", ""));
    }

    function tieredTariff() internal returns (TieredTariff) {
        return TieredTariff(_create("src/transact/tariffs/TieredTariff.sol/TieredTariff.json", ""));
    }

    function planTariff() internal returns (PlanTariff) {
        return PlanTariff(_create("src/transact/tariffs/PlanTariff.sol/PlanTariff.json", ""));
    }

    /// @notice The factory with the three codes that it clones.
    function vaultFactory(MachineRegistry registry, ClearingHouse house) internal returns (VaultFactory) {
        address vault =
            _create("src/cooperate/MachineVault.sol/MachineVault.json", abi.encode(registry, house));
        address governor = _create("src/cooperate/MachineGovernor.sol/MachineGovernor.json", "");
        address timelock = _create("src/cooperate/VaultTimelock.sol/VaultTimelock.json", "");
        return VaultFactory(
            _create(
                "src/cooperate/VaultFactory.sol/VaultFactory.json", abi.encode(registry, vault, governor, timelock)
            )
        );
    }

    function usageRights(MachineRegistry registry) internal returns (UsageRights) {
        return UsageRights(_create("src/cooperate/UsageRights.sol/UsageRights.json", abi.encode(registry)));
    }

    function allowLists() internal returns (AllowLists) {
        return AllowLists(_create("src/cooperate/AllowLists.sol/AllowLists.json", ""));
    }

    function identityCompliance(IIdentityRegistry identities) internal returns (IdentityCompliance) {
        return IdentityCompliance(
            _create("src/cooperate/IdentityCompliance.sol/IdentityCompliance.json", abi.encode(identities))
        );
    }

    /// @notice A contract of ERC-3643's reference implementation, by its path in the package's artifacts.
    function tRex(string memory artifact, bytes memory constructorArgs) internal returns (address) {
        string memory folder = "../node_modules/@tokenysolutions/t-rex/artifacts/";
        return _createFrom(string.concat(folder, artifact), constructorArgs);
    }

    function _create(string memory artifact, bytes memory constructorArgs) private returns (address) {
        return _createFrom(string.concat("artifacts/", artifact), constructorArgs);
    }

    function _createFrom(string memory artifact, bytes memory constructorArgs) private returns (address place) {
        string memory json = vm.readFile(artifact);
        bytes memory code = bytes.concat(vm.parseJsonBytes(json, ".bytecode"), constructorArgs);
        assembly ("memory-safe") {
            place := create(0, add(code, 0x20), mload(code))
        }
        if (place == address(0)) revert NotCreated(artifact);
    }
}
