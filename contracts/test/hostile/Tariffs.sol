// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Takes any data, as all tariffs here do.
abstract contract AcceptingTariff {
    function validate(bytes calldata, uint256) external pure returns (bool) {
        return true;
    }
}

contract GasBurner is AcceptingTariff {
    function owed(bytes calldata, uint256[] calldata, uint64) external view returns (uint256 sum) {
        while (gasleft() > 0) {
            sum += gasleft();
        }
    }
}

/// @notice Returns far more than one word.
contract ReturnBomb is AcceptingTariff {
    function owed(bytes calldata, uint256[] calldata, uint64) external pure {
        assembly {
            return(0, 20000)
        }
    }
}

/// @notice Reverts with far more than one word.
contract RevertBomb is AcceptingTariff {
    function owed(bytes calldata, uint256[] calldata, uint64) external pure {
        assembly {
            revert(0, 20000)
        }
    }
}

contract Reverting is AcceptingTariff {
    function owed(bytes calldata, uint256[] calldata, uint64) external pure returns (uint256) {
        revert("no");
    }
}

contract Silent is AcceptingTariff {
    function owed(bytes calldata, uint256[] calldata, uint64) external pure {}
}

contract HugeOwed is AcceptingTariff {
    function owed(bytes calldata, uint256[] calldata, uint64) external pure returns (uint256) {
        return 1 << 96;
    }
}

/// @notice Falls as the register rises.
contract NonMonotone is AcceptingTariff {
    function owed(bytes calldata, uint256[] calldata registers, uint64) external pure returns (uint256) {
        return 1000 - registers[0];
    }
}

/// @notice Tries to change state; a static call does not let it.
contract Writing is AcceptingTariff {
    uint256 public calls;

    function owed(bytes calldata, uint256[] calldata, uint64) external returns (uint256) {
        calls += 1;
        return calls;
    }
}

contract RefusingTariff {
    function validate(bytes calldata, uint256) external pure returns (bool) {
        return false;
    }
}
