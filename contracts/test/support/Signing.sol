// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";
import {Adjustment, Funding, MeterValue} from "../../src/transact/Terms.sol";
import {CURVE_P256, CURVE_SECP256K1, Key} from "../../src/trust/Key.sol";
import {MachineRegistry, StreamHead} from "../../src/trust/MachineRegistry.sol";
import {Test} from "./Test.sol";

/// @notice Keys from small secrets, and what a device does with them.
abstract contract Signing is Test {
    uint256 internal constant SECP256K1_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    uint256 internal constant FAR = 4_000_000_000;

    function p256Key(uint256 secret, address verifier) internal pure returns (Key memory) {
        (uint256 x, uint256 y) = vm.publicKeyP256(secret);
        return Key(CURVE_P256, verifier, bytes32(x), bytes32(y));
    }

    /// @notice `r || s`, s low, over SHA-256 of the digest, as devices sign.
    function signP256Sha256(uint256 secret, bytes32 digest) internal pure returns (bytes memory) {
        return signP256Raw(secret, sha256(abi.encodePacked(digest)));
    }

    /// @notice `r || s`, s low, over the digest itself.
    function signP256Raw(uint256 secret, bytes32 digest) internal pure returns (bytes memory) {
        (bytes32 r, bytes32 s) = vm.signP256(secret, digest);
        if (uint256(s) > P256.N / 2) s = bytes32(P256.N - uint256(s));
        return abi.encodePacked(r, s);
    }

    function flipP256(bytes memory signature) internal pure returns (bytes memory) {
        (bytes32 r, bytes32 s) = abi.decode(signature, (bytes32, bytes32));
        return abi.encodePacked(r, P256.N - uint256(s));
    }

    function signAccount(uint256 secret, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(secret, digest);
        return abi.encodePacked(r, s, v);
    }

    function flipAccount(bytes memory signature) internal pure returns (bytes memory) {
        bytes32 r;
        uint256 s;
        assembly ("memory-safe") {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
        }
        return abi.encodePacked(r, SECP256K1_N - s, uint8(signature[64]) == 27 ? uint8(28) : uint8(27));
    }

    /// @notice The secp256k1 point of a small secret times G is not to be had from a cheatcode, so two are written down.
    function secp256k1Key(uint256 secret) internal pure returns (Key memory) {
        if (secret == 1) {
            return Key(
                CURVE_SECP256K1,
                address(0),
                0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
                0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8
            );
        }
        require(secret == 2, "secret 1 or 2");
        return Key(
            CURVE_SECP256K1,
            address(0),
            0xC6047F9441ED7D6D3045406E95C07CD85C778E4B8CEF3CA7ABAC09B95C709EE5,
            0x1AE168FEA63DC339A3C58419466CEAEEF7F632653266D0E1236431A950CFE52A
        );
    }

    function keyIdOf(Key memory key) internal pure returns (bytes32) {
        return keccak256(abi.encode(key.curve, key.x, key.y));
    }

    function typedDigest(string memory name, address verifyingContract, bytes32 structHash)
        internal
        view
        returns (bytes32)
    {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256("1"),
                block.chainid,
                verifyingContract
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function registryDigest(MachineRegistry registry, bytes memory encoded) internal view returns (bytes32) {
        return typedDigest("Liquefy MachineRegistry", address(registry), keccak256(encoded));
    }

    function registerDigest(MachineRegistry registry, address owner, Key memory key, uint256 deadline)
        internal
        view
        returns (bytes32)
    {
        return registryDigest(
            registry,
            abi.encode(
                keccak256("Register(address owner,bytes32 keyId,address verifier,uint256 deadline)"),
                owner,
                keyIdOf(key),
                key.verifier,
                deadline
            )
        );
    }

    function controlledDigest(MachineRegistry registry, address owner, uint256 controller, bytes32 salt)
        internal
        view
        returns (bytes32)
    {
        return registryDigest(
            registry,
            abi.encode(
                keccak256("RegisterControlled(address owner,uint256 controller,bytes32 salt,uint256 deadline)"),
                owner,
                controller,
                salt,
                FAR
            )
        );
    }

    function rotateDigest(
        MachineRegistry registry,
        uint256 machineId,
        Key memory key,
        StreamHead[] memory heads,
        uint256 nonce
    ) internal view returns (bytes32) {
        return registryDigest(
            registry,
            abi.encode(
                keccak256(
                    "Rotate(uint256 machineId,bytes32 newKeyId,address newVerifier,bytes32 headsHash,uint256 nonce,uint256 deadline)"
                ),
                machineId,
                keyIdOf(key),
                key.verifier,
                keccak256(abi.encode(heads)),
                nonce,
                FAR
            )
        );
    }

    function rekeyDigest(MachineRegistry registry, uint256 machineId, Key memory key, uint256 nonce)
        internal
        view
        returns (bytes32)
    {
        return registryDigest(
            registry,
            abi.encode(
                keccak256(
                    "Rekey(uint256 machineId,bytes32 newKeyId,address newVerifier,uint256 nonce,uint256 deadline)"
                ),
                machineId,
                keyIdOf(key),
                key.verifier,
                nonce,
                FAR
            )
        );
    }

    // --- what is signed for the clearing house ------------------------------------------------------------------------

    function valueStructHash(MeterValue memory v) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "MeterValue(bytes32 agreementId,uint32 period,uint64 asOf,uint256[] registers,bytes32 evidenceHead)"
                ),
                v.agreementId,
                v.period,
                v.asOf,
                keccak256(abi.encodePacked(v.registers)),
                v.evidenceHead
            )
        );
    }

    function valuesDigest(address house, MeterValue[] memory values) internal view returns (bytes32) {
        bytes memory hashes;
        for (uint256 i = 0; i < values.length; ++i) {
            hashes = bytes.concat(hashes, valueStructHash(values[i]));
        }
        bytes32 typeHash = keccak256(
            "MeterValues(MeterValue[] values)MeterValue(bytes32 agreementId,uint32 period,uint64 asOf,uint256[] registers,bytes32 evidenceHead)"
        );
        return typedDigest(
            "Liquefy ClearingHouse", house, keccak256(abi.encode(typeHash, keccak256(hashes)))
        );
    }

    function adjustmentDigest(address house, Adjustment memory a) internal view returns (bytes32) {
        bytes32 typeHash =
            keccak256("Adjustment(bytes32 agreementId,uint32 period,uint256 amount,bytes32 evidenceHead)");
        return typedDigest(
            "Liquefy ClearingHouse",
            house,
            keccak256(abi.encode(typeHash, a.agreementId, a.period, a.amount, a.evidenceHead))
        );
    }

    function fundingDigest(address house, Funding memory f) internal view returns (bytes32) {
        bytes32 typeHash =
            keccak256("Funding(bytes32 agreementId,address from,uint256 amount,bytes32 salt,uint256 deadline)");
        return typedDigest(
            "Liquefy ClearingHouse",
            house,
            keccak256(abi.encode(typeHash, f.agreementId, f.from, f.amount, f.salt, f.deadline))
        );
    }

    // --- what is signed for a token -----------------------------------------------------------------------------------

    /// @notice EIP-2612, until `FAR`.
    function permitDigest(address token, address owner, address spender, uint256 amount, uint256 nonce)
        internal
        view
        returns (bytes32)
    {
        bytes32 typeHash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        return typedDigest(
            "Test Euro (no value)", token, keccak256(abi.encode(typeHash, owner, spender, amount, nonce, FAR))
        );
    }

    /// @notice ERC-3009, to receive from 0 until `FAR`.
    function authorizationDigest(address token, address from, address to, uint256 amount, bytes32 nonce)
        internal
        view
        returns (bytes32)
    {
        bytes32 typeHash = keccak256(
            "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );
        return typedDigest(
            "Test Euro (no value)",
            token,
            keccak256(abi.encode(typeHash, from, to, amount, uint256(0), FAR, nonce))
        );
    }

    /// @notice A registered and active machine whose P-256 key hashes.
    function activeMachine(MachineRegistry registry, address owner, uint256 secret) internal returns (uint256 id) {
        Key memory key = p256Key(secret, registry.p256Sha256Verifier());
        id = registry.register(owner, key, FAR, signP256Sha256(secret, registerDigest(registry, owner, key, FAR)));
        vm.prank(owner);
        registry.activate(id);
    }
}
