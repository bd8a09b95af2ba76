// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICompliance} from "./ICompliance.sol";
import {IOperated} from "./IOperated.sol";

/// @title Allow-lists, one a vault, kept by its operator
/// @notice A share moves only to who is on the list of its vault. What the list says of the sender does not count: he may always sell.
contract AllowLists is ICompliance {
    mapping(address vault => mapping(address account => bool)) public isAllowed;

    event AllowedSet(address indexed vault, address indexed account, bool allowed);

    error NotVaultOperator(address vault, address caller, address operator);

    /// @notice Puts accounts on a vault's list, or takes them off. By the vault's operator.
    function setAllowed(address vault, address[] calldata accounts, bool allowed) external {
        address operator = IOperated(vault).operator();
        if (msg.sender != operator) revert NotVaultOperator(vault, msg.sender, operator);
        for (uint256 i = 0; i < accounts.length; ++i) {
            isAllowed[vault][accounts[i]] = allowed;
            emit AllowedSet(vault, accounts[i], allowed);
        }
    }

    /// @inheritdoc ICompliance
    /// @dev The vault asks, so the list is the caller's.
    function canTransfer(address, address to, uint256) external view returns (bool) {
        return isAllowed[msg.sender][to];
    }
}
