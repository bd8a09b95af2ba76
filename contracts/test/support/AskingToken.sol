// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {TestEuro} from "../../src/transact/TestEuro.sol";

/// @notice A token with ERC-3009 that asks contracts by ERC-1271, as Circle's FiatToken 2.2 does.
contract AskingToken is TestEuro {
    error SignatureRefused(address from, bytes32 hash);

    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        bytes32 hash = _hashTypedDataV4(
            keccak256(
                abi.encode(TRANSFER_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
            )
        );
        if (!SignatureChecker.isValidSignatureNow(from, hash, signature)) revert SignatureRefused(from, hash);
        _transferWithAuthorization(from, to, value, validAfter, validBefore, nonce);
    }
}
