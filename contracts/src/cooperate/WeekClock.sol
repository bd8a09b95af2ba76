// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Weeks of a wall clock, and their hours as bits
/// @notice Week w begins w weeks after Monday 1970-01-05 00:00 of the machine's zone; bit h of a week is its hour h, Monday 00:00 being 0. The ledger
/// knows no zones: what it says of past and future it says with a day of slack, more than any zone is away from UTC.
library WeekClock {
    uint256 internal constant HOURS = 168;
    uint256 private constant MONDAY = 4 days;
    uint256 private constant SLACK_HOURS = 24;

    /// @notice Hours of UTC since week 0 began, in the block.
    function hourNow() internal view returns (uint256) {
        return (block.timestamp - MONDAY) / 1 hours;
    }

    /// @notice First week that is not over everywhere on Earth.
    function openWeek() internal view returns (uint256) {
        return (hourNow() - SLACK_HOURS) / HOURS;
    }

    /// @notice Hours of the week that are over, everywhere on Earth.
    function over(uint256 week) internal view returns (uint256 bits) {
        return _before(week, hourNow() - SLACK_HOURS);
    }

    /// @notice Hours of the week that have begun, or begin within a day, somewhere on Earth.
    function begun(uint256 week) internal view returns (uint256 bits) {
        return _before(week, hourNow() + SLACK_HOURS);
    }

    /// @notice Number of bits that are set.
    function count(uint256 bits) internal pure returns (uint256 n) {
        unchecked {
            uint256 fives = type(uint256).max / 3;
            uint256 threes = type(uint256).max / 5;
            uint256 ones = type(uint256).max / 255;
            n = bits - ((bits >> 1) & fives);
            n = (n & threes) + ((n >> 2) & threes);
            n = (n + (n >> 4)) & (ones * 15);
            // The sum of 32 bytes, at most 168, stands in the highest byte.
            n = (n * ones) >> 248;
        }
    }

    function _before(uint256 week, uint256 hour) private pure returns (uint256) {
        uint256 first = week * HOURS;
        if (hour <= first) return 0;
        return hour >= first + HOURS ? type(uint168).max : (1 << (hour - first)) - 1;
    }
}
