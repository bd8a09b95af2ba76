// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";
import {ClearingHouse} from "../../src/transact/ClearingHouse.sol";

/// @notice Has no `onERC721Received`.
contract RejectingReceiver {}

/// @notice On receiving a position it does all that it can think of.
contract ReenteringReceiver is IERC721Receiver {
    ClearingHouse private immutable _house;
    address private immutable _asset;

    error TookFromNothing();

    constructor(ClearingHouse house, address asset) {
        _house = house;
        _asset = asset;
    }

    function onERC721Received(address, address, uint256 id, bytes calldata) external returns (bytes4) {
        bytes32[] memory ids = new bytes32[](2);
        ids[0] = bytes32(id);
        ids[1] = bytes32(id);
        _house.credit(ids);
        try _house.withdraw(_asset, 1, address(this)) {
            revert TookFromNothing();
        } catch {}
        _house.close(bytes32(id));
        return IERC721Receiver.onERC721Received.selector;
    }
}
