// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Key} from "../../src/trust/Key.sol";
import {Fixture} from "./Fixture.sol";

/// @notice A quorum of two accounts and a P-256 key, and its signatures.
abstract contract Quorum is Fixture {
    uint256 internal constant FIRST = 0xF1;
    uint256 internal constant SECOND = 0xF2;
    uint256 internal constant POINT = 77;

    /// @dev In the order that the quorum demands.
    function threeSigners() internal view returns (bytes[] memory signers, uint256[] memory secrets) {
        signers = new bytes[](3);
        secrets = new uint256[](3);
        Key memory key = p256Key(POINT, registry.p256Sha256Verifier());
        signers[0] = abi.encodePacked(vm.addr(FIRST));
        signers[1] = abi.encodePacked(vm.addr(SECOND));
        signers[2] = abi.encodePacked(key.verifier, key.x, key.y);
        (secrets[0], secrets[1], secrets[2]) = (FIRST, SECOND, POINT);
        for (uint256 i = 0; i < 3; ++i) {
            for (uint256 j = i + 1; j < 3; ++j) {
                if (keccak256(signers[j]) > keccak256(signers[i])) continue;
                (signers[i], signers[j]) = (signers[j], signers[i]);
                (secrets[i], secrets[j]) = (secrets[j], secrets[i]);
            }
        }
    }

    function signAs(uint256 secret, bytes32 digest) internal pure returns (bytes memory) {
        return secret == POINT ? signP256Sha256(secret, digest) : signAccount(secret, digest);
    }

    /// @dev Signed by those whose bit is set.
    function signQuorum(bytes32 digest, uint8 threshold, uint256 who) internal view returns (bytes memory) {
        (bytes[] memory signers, uint256[] memory secrets) = threeSigners();
        bytes[] memory signatures = new bytes[](3);
        for (uint256 i = 0; i < 3; ++i) {
            if (who & (1 << i) != 0) signatures[i] = signAs(secrets[i], digest);
        }
        return abi.encode(threshold, signers, signatures);
    }
}
