// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A transfer by ERC-3009 that a token will ask the account about by ERC-1271: `to` gets `amount` of `asset`.
/// `toSubmits`: of the kind that only `to` itself can submit. `name` and `version` are those of the token's EIP-712 domain.
struct Authorization {
    address asset;
    address to;
    uint256 amount;
    bool toSubmits;
    uint256 validAfter;
    uint256 validBefore;
    bytes32 nonce;
    string name;
    string version;
}

/// @title Payments that can be read
/// @notice The digest is rebuilt from the payment and bound to the token and this chain without asking anybody, so that a hash
/// cannot mean another payment than the one that was checked.
library Authorizations {
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant TRANSFER_TYPEHASH = keccak256(
        "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 private constant RECEIVE_TYPEHASH = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );

    /// @notice What the token will ask `from` about: the EIP-712 digest of ERC-3009.
    function hash(Authorization memory a, address from) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                DOMAIN_TYPEHASH, keccak256(bytes(a.name)), keccak256(bytes(a.version)), block.chainid, a.asset
            )
        );
        bytes32 typeHash = a.toSubmits ? RECEIVE_TYPEHASH : TRANSFER_TYPEHASH;
        bytes32 message =
            keccak256(abi.encode(typeHash, from, a.to, a.amount, a.validAfter, a.validBefore, a.nonce));
        return keccak256(abi.encodePacked(hex"1901", domain, message));
    }
}
