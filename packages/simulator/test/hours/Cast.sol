// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Does what it is told, under its own address.
contract Person {
    address private immutable _cast = msg.sender;

    function act(address target, bytes calldata data) external returns (bool ok, bytes memory out) {
        require(msg.sender == _cast, "not yours");
        (ok, out) = target.call(data);
    }
}

/// @notice People, and many actions of theirs in one transaction.
contract Cast {
    Person[] public people;

    /// @dev Four bytes each: zero if it was done, else the selector of the error.
    event Verdicts(bytes verdicts);

    constructor(uint256 count) {
        for (uint256 i = 0; i < count; ++i) people.push(new Person());
    }

    function play(uint256[] calldata who, address[] calldata targets, bytes[] calldata data) external {
        bytes memory verdicts = new bytes(4 * who.length);
        for (uint256 i = 0; i < who.length; ++i) {
            (bool ok, bytes memory out) = people[who[i]].act(targets[i], data[i]);
            if (ok) continue;
            for (uint256 j = 0; j < 4; ++j) verdicts[4 * i + j] = out.length < 4 ? bytes1(0xff) : out[j];
        }
        emit Verdicts(verdicts);
    }
}
