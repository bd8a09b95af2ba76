// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Phase} from "../../src/cooperate/VaultSetup.sol";

/// @notice What the money of a vault must be, computed the plain way, beside what the clearing house holds for it. It knows nothing of the
/// vault's code: what an owner has earned is the sum of income x shares, over all shares, never divided.
abstract contract ShadowVault {
    struct Agreement {
        bytes32 id;
        uint256 escrow;
        uint256 earned;
        uint256 best;
        uint256 paid;
    }

    struct Offer {
        uint256 offerer;
        uint256 price;
        uint256 deposit;
        uint256 refuseBy;
        uint256 refused;
    }

    uint256 public constant ACTORS = 7;
    uint256 internal constant NONE = type(uint256).max;

    Agreement[] internal _agreements;
    Phase public phaseNow;
    uint256 public supply;
    /// @notice All shares there were while it earned.
    uint256 public earningShares;
    uint256 public reserveNow;
    uint256 public outstandingNow;
    uint256 public houseBalance;
    uint256 public payerBalance;
    /// @notice On the vault and nobody's yet; of the sale or an offer; of owners.
    uint256 public loose;
    uint256 public held;
    uint256 public ownersPot;
    /// @notice Everything that came in as income, and everything that was paid out of it.
    uint256 public revenue;
    uint256 public payouts;
    uint256 public houseDeposits;
    uint256 public houseWithdrawals;
    uint256 internal _reserveTarget;
    uint256[2] internal _feeBps;
    uint256 internal _fresh;
    Offer internal _offerNow;
    mapping(uint256 actor => uint256) public sharesOf;
    mapping(uint256 actor => uint256) public boughtOf;
    mapping(uint256 actor => uint256) public creditOfActor;
    mapping(uint256 actor => uint256) public earnedTimesShares;
    mapping(uint256 actor => uint256) public claimedOf;
    mapping(uint256 offer => mapping(uint256 actor => uint256)) internal _refusals;
    uint256 public offers;

    function agreementOf(uint256 index) external view returns (Agreement memory) {
        return _agreements[index];
    }

    function agreementCount() external view returns (uint256) {
        return _agreements.length;
    }

    function offerNow() external view returns (Offer memory) {
        return _offerNow;
    }

    function refusedNow(uint256 actor) public view returns (uint256) {
        return _refusals[offers][actor];
    }

    /// @notice What is accounted for.
    function accountedNow() public view returns (uint256 sum) {
        sum = reserveNow + held + ownersPot;
        for (uint256 i = 0; i < ACTORS; ++i) {
            sum += creditOfActor[i];
        }
    }

    /// @notice What an owner has earned, in whole units, rounded down.
    function earnedOf(uint256 actor) public view returns (uint256) {
        return earningShares == 0 ? 0 : earnedTimesShares[actor] / earningShares;
    }

    /// @dev The block is over: its income is of those who hold the shares now.
    function _endBlock() internal {
        if (_fresh == 0) return;
        for (uint256 i = 0; i < ACTORS; ++i) {
            earnedTimesShares[i] += _fresh * sharesOf[i];
        }
        _fresh = 0;
    }

    /// @param sole who has all income when the vault is no longer many people's
    function _distributed(uint256 sole, uint256 lender, uint256[2] memory feeOwners) internal {
        uint256 left = loose;
        loose = 0;
        revenue += left;
        if (phaseNow != Phase.Live) {
            creditOfActor[sole] += left;
            return;
        }
        uint256 part = reserveNow < _reserveTarget ? _least(left, _reserveTarget - reserveNow) : 0;
        reserveNow += part;
        left -= part;
        part = _least(left, outstandingNow);
        outstandingNow -= part;
        creditOfActor[lender] += part;
        left -= part;
        uint256 base = left;
        for (uint256 i = 0; i < 2; ++i) {
            part = base * _feeBps[i] / 10_000;
            creditOfActor[feeOwners[i]] += part;
            left -= part;
        }
        ownersPot += left;
        _fresh += left;
        earningShares = supply;
    }

    function _settled(Agreement storage agreement, uint256 due) internal {
        if (due > agreement.best) agreement.best = due;
        if (due <= agreement.paid) return;
        uint256 amount = _least(due - agreement.paid, agreement.escrow);
        agreement.paid += amount;
        agreement.escrow -= amount;
        agreement.earned += amount;
    }

    function _credited(Agreement storage agreement) internal {
        houseBalance += agreement.earned;
        agreement.earned = 0;
    }

    function _least(uint256 a, uint256 b) internal pure returns (uint256) {
        return a < b ? a : b;
    }
}
