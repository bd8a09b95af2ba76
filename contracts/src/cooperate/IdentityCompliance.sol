// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICompliance} from "./ICompliance.sol";

/// @notice What is used of an identity registry of ERC-3643.
interface IIdentityRegistry {
    /// @notice True if the account's identity holds the claims that the registry asks for.
    function isVerified(address account) external view returns (bool);
}

/// @title Only identities that a registry of ERC-3643 has verified hold shares
contract IdentityCompliance is ICompliance {
    IIdentityRegistry public immutable identityRegistry;

    constructor(IIdentityRegistry identityRegistry_) {
        identityRegistry = identityRegistry_;
    }

    /// @inheritdoc ICompliance
    function canTransfer(address, address to, uint256) external view returns (bool) {
        return identityRegistry.isVerified(to);
    }
}
