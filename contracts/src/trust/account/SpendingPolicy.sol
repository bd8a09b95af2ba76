// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a machine's key may spend of one asset: at most `perPayment` at once and `perDay` a day of UTC, until `expiry`
/// (seconds, inclusive), to nobody but `counterparties`.
struct Policy {
    uint128 perPayment;
    uint128 perDay;
    uint64 expiry;
    address[] counterparties;
}

/// @title The owner's spending policy for the machine's key
/// @notice Everything is kept by tenure, so that nothing of it outlives a change of hands: whoever gets the machine begins without
/// a policy, and its key can spend nothing. A refusal is an error that names the line. Rules: docs/protocol/identity.md.
abstract contract SpendingPolicy {
    /// @notice A policy names at most this many counterparties.
    uint256 public constant MAX_COUNTERPARTIES = 16;

    mapping(bytes32 tenure => mapping(address asset => Policy)) private _policies;
    mapping(bytes32 tenure => mapping(address asset => mapping(uint256 day => uint256 amount))) private _spent;
    mapping(bytes32 tenure => bool) private _paused;

    event PolicySet(address indexed asset, bytes32 indexed tenure, Policy policy);
    event PauseSet(bytes32 indexed tenure, bool paused);

    error PolicyMissing(address asset);
    error PolicyPaused();
    error PolicyExpired(uint256 expiry, uint256 blockTimestamp);
    error CounterpartyRefused(address counterparty);
    error PaymentAboveLimit(uint256 amount, uint256 perPayment);
    /// @dev `spent` is what the day had before.
    error DayLimitExceeded(uint256 day, uint256 spent, uint256 amount, uint256 perDay);
    error TooManyCounterparties(uint256 have, uint256 most);

    function _setPolicy(bytes32 tenure, address asset, Policy calldata policy) internal {
        uint256 count = policy.counterparties.length;
        if (count > MAX_COUNTERPARTIES) revert TooManyCounterparties(count, MAX_COUNTERPARTIES);
        _policies[tenure][asset] = policy;
        emit PolicySet(asset, tenure, policy);
    }

    function _setPaused(bytes32 tenure, bool paused) internal {
        _paused[tenure] = paused;
        emit PauseSet(tenure, paused);
    }

    function _policy(bytes32 tenure, address asset)
        internal
        view
        returns (Policy memory policy, uint256 spentToday, bool paused)
    {
        return (_policies[tenure][asset], _spent[tenure][asset][_today()], _paused[tenure]);
    }

    /// @dev Every line but the day's, which counts.
    function _requireLines(bytes32 tenure, address asset, address counterparty, uint256 amount) internal view {
        _requireNotPaused(tenure);
        Policy storage policy = _policies[tenure][asset];
        uint256 expiry = policy.expiry;
        if (expiry == 0) revert PolicyMissing(asset);
        if (block.timestamp > expiry) revert PolicyExpired(expiry, block.timestamp);
        if (!_isListed(policy.counterparties, counterparty)) revert CounterpartyRefused(counterparty);
        if (amount > policy.perPayment) revert PaymentAboveLimit(amount, policy.perPayment);
    }

    function _requireNotPaused(bytes32 tenure) internal view {
        if (_paused[tenure]) revert PolicyPaused();
    }

    /// @dev Counts a payment into today.
    function _countToday(bytes32 tenure, address asset, uint256 amount) internal {
        _requireDay(tenure, asset, amount);
        _spent[tenure][asset][_today()] += amount;
    }

    /// @dev With `amount` zero: what is counted already still fits, though the owner may have lowered the limit since.
    function _requireDay(bytes32 tenure, address asset, uint256 amount) internal view {
        uint256 spent = _spent[tenure][asset][_today()];
        uint256 perDay = _policies[tenure][asset].perDay;
        if (spent + amount > perDay) revert DayLimitExceeded(_today(), spent, amount, perDay);
    }

    /// @dev Days since 1970, of UTC.
    function _today() internal view returns (uint256) {
        return block.timestamp / 1 days;
    }

    function _isListed(address[] storage list, address wanted) private view returns (bool) {
        uint256 count = list.length;
        for (uint256 i = 0; i < count; ++i) {
            if (list[i] == wanted) return true;
        }
        return false;
    }
}
