// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Status} from "./Terms.sol";

/// @title Money of agreements and balances of accounts
/// @notice Of each period two amounts are known: `proven`, the most that has been shown to be owed for it, and `paid`, which is
/// `proven` unless escrow was short. The difference is arrears. Neither ever falls.
abstract contract Accounts {
    /// @dev One slot: all that `settle` reads and writes of an agreement in the course of a period. The current period is the
    /// newest one of which anything is proven; `recorded` says that it has arrears or an adjustment in `_periods`.
    struct Account {
        uint96 escrow;
        uint96 paid;
        uint32 period;
        Status status;
        bool recorded;
    }

    /// @dev What is earned and not yet credited is `funded - escrow - credited`.
    struct Totals {
        uint96 funded;
        uint96 credited;
        uint256 arrears;
    }

    /// @dev `paid` counts for periods before the current one, `proven` where it is above `paid`.
    struct Period {
        uint96 paid;
        uint96 proven;
        bool adjusted;
    }

    mapping(bytes32 agreementId => uint256) private _accounts;
    mapping(bytes32 agreementId => Totals) internal _totals;
    mapping(bytes32 agreementId => mapping(uint32 period => Period)) internal _periods;
    mapping(bytes32 agreementId => mapping(uint32 period => uint256)) internal _adjustments;
    mapping(address account => mapping(address asset => uint256)) internal _balances;

    event EscrowShort(bytes32 indexed agreementId, uint32 period, uint256 missing);

    error AgreementNotOpen(bytes32 agreementId, Status have);

    /// @notice None, Open or Closed.
    function statusOf(bytes32 id) public view returns (Status) {
        return _readAccount(id).status;
    }

    /// @notice What is left to pay from.
    function escrowOf(bytes32 id) external view returns (uint256) {
        return _readAccount(id).escrow;
    }

    /// @notice What is proven and was never paid, of all periods, because escrow was short.
    function arrearsOf(bytes32 id) external view returns (uint256) {
        return _totals[id].arrears;
    }

    /// @notice What the position has earned and `credit` has not moved yet.
    function accruedOf(bytes32 id) public view returns (uint256) {
        Totals storage totals = _totals[id];
        return totals.funded - _readAccount(id).escrow - totals.credited;
    }

    /// @notice What a period has been paid, and what is proven to be owed for it within the cap.
    function periodOf(bytes32 id, uint32 period) external view returns (uint96 paid, uint96 proven) {
        Period memory state = _readPeriod(id, _readAccount(id), period);
        return (state.paid, state.proven);
    }

    /// @notice What late evidence has added to a period; zero if nothing.
    function adjustmentOf(bytes32 id, uint32 period) external view returns (uint256) {
        return _adjustments[id][period];
    }

    /// @notice What `account` may withdraw of `asset`.
    function balanceOfAsset(address account, address asset) external view returns (uint256) {
        return _balances[account][asset];
    }

    function _requireOpen(bytes32 id) internal view {
        Status status = statusOf(id);
        if (status != Status.Open) revert AgreementNotOpen(id, status);
    }

    /// @dev By hand, since the compiler would read and write the slot once for each field.
    function _readAccount(bytes32 id) internal view returns (Account memory account) {
        uint256 slot = _accounts[id];
        account.escrow = uint96(slot);
        account.paid = uint96(slot >> 96);
        account.period = uint32(slot >> 192);
        account.status = Status(uint8(slot >> 224));
        account.recorded = (slot >> 232) != 0;
    }

    function _writeAccount(bytes32 id, Account memory account) internal {
        uint256 slot = uint256(account.escrow) | (uint256(account.paid) << 96) | (uint256(account.period) << 192)
            | (uint256(account.status) << 224);
        if (account.recorded) slot |= 1 << 232;
        _accounts[id] = slot;
    }

    function _readPeriod(
        bytes32 id,
        Account memory account,
        uint32 period
    ) internal view returns (Period memory state) {
        bool current = period == account.period;
        if (period < account.period || (current && account.recorded)) state = _periods[id][period];
        if (current) state.paid = account.paid;
        if (state.proven < state.paid) state.proven = state.paid;
    }

    /// @dev Proves that a period owes `due`, and pays what is missing as far as escrow goes. Changes `account` in memory only:
    /// the caller writes it back, and says it if escrow was short.
    /// @param due below 2^96
    /// @return paid what was paid now
    /// @return short what was not, for want of escrow
    function _pay(
        bytes32 id,
        Account memory account,
        uint32 period,
        Period memory state,
        uint256 due
    ) internal returns (uint256 paid, uint256 short) {
        if (due <= state.paid) return (0, 0);
        uint256 arrears = state.proven - state.paid;
        uint256 missing = due - state.paid;
        paid = Math.min(missing, account.escrow);
        unchecked {
            short = missing - paid;
            state.paid += uint96(paid); // at most `due`
            account.escrow -= uint96(paid);
        }
        if (due > state.proven) state.proven = uint96(due);
        _writePeriod(id, account, period, state, arrears);
    }

    /// @dev What `_pay` does in the usual case, for less gas: the current period, nothing on record about it, escrow enough.
    /// @return done false if the case is another, and nothing has changed
    function _payUsual(
        Account memory account,
        uint32 period,
        uint256 due
    ) internal pure returns (bool done, uint256 paid) {
        if (period != account.period || account.recorded) return (false, 0);
        if (due <= account.paid) return (true, 0);
        unchecked {
            paid = due - account.paid;
            if (paid > account.escrow) return (false, 0);
            account.paid = uint96(due);
            account.escrow -= uint96(paid);
        }
        done = true;
    }

    /// @param arrears what they were before
    function _writePeriod(
        bytes32 id,
        Account memory account,
        uint32 period,
        Period memory state,
        uint256 arrears
    ) private {
        if (period > account.period) {
            if (account.paid != 0) _periods[id][account.period].paid = account.paid;
            account.period = period;
            account.recorded = false;
        }
        bool current = period == account.period;
        if (current) account.paid = state.paid;
        uint256 left = state.proven - state.paid;
        if (left != arrears) {
            _totals[id].arrears = _totals[id].arrears + left - arrears;
            if (current) account.recorded = true;
        }
        if (!current || left != arrears) _periods[id][period] = state;
    }
}
