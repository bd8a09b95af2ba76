// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VaultSale} from "./VaultSale.sol";
import {BuyoutRules, Phase} from "./VaultSetup.sol";

/// @notice An offer for all shares that the offerer does not hold, until `refuseBy` (seconds) to be refused.
struct BuyoutOffer {
    address offerer;
    uint64 refuseBy;
    uint128 priceMinor;
    uint256 deposit;
    uint256 refused;
}

/// @title Buy-out: who holds enough may offer for the rest, at a price that the others can refuse
/// @notice The offerer pays first and his shares are locked while the offer stands. A refusal locks the refuser's shares, so that none
/// refuses twice. Unrefused, the offerer has everything and each share of the others is worth the price, whenever it is given in; what
/// they earned before stays theirs. The reserve goes with the machine. Rules: docs/protocol/vault.md.
abstract contract VaultBuyout is VaultSale {
    /// @notice Number of offers so far; the newest one's number.
    uint256 public offerCount;

    BuyoutOffer private _offer;
    BuyoutRules private _buyout;
    mapping(uint256 offer => mapping(address account => uint256 shares)) private _refusedBy;

    event BuyoutRulesSet(BuyoutRules rules);
    event BuyoutOffered(uint256 indexed offer, address indexed offerer, uint128 priceMinor, uint256 deposit, uint64 refuseBy);
    event BuyoutRefused(uint256 indexed offer, address indexed owner, uint256 shares, uint256 refused);
    event BuyoutFailed(uint256 indexed offer, uint256 refused);
    event BuyoutCompleted(uint256 indexed offer, address indexed buyer, uint128 priceMinor);
    event SharesRedeemed(address indexed owner, uint256 shares, uint256 amount);

    error BuyoutNotAllowed();
    error BuyoutStands(uint256 offer);
    error NoBuyoutOffer();
    error SharesTooFew(address account, uint256 have, uint256 needed);
    error RefusalOver(uint64 refuseBy, uint256 blockTimestamp);
    error RefusalNotOver(uint64 refuseBy, uint256 blockTimestamp);
    /// @dev Distribute first, and come back in a later block: income belongs to those who held the shares.
    error IncomeFirst(uint256 undistributed);
    error SharesLockedByOffer(address account, uint256 locked);

    /// @notice The offer that stands, or that was completed; all zero if none.
    function buyoutOffer() external view returns (BuyoutOffer memory) {
        return _offer;
    }


    /// @notice Shares with which an account has refused the offer that stands.
    function refusedBy(address account) public view returns (uint256) {
        return _refusedBy[offerCount][account];
    }

    /// @notice Offers `priceMinor` for each share of the others, and pays for all of them; the sender has approved it.
    function offerBuyout(uint128 priceMinor) external nonReentrant {
        _requirePhase(Phase.Live);
        BuyoutRules memory rules = _buyout;
        if (rules.minBps == 0) revert BuyoutNotAllowed();
        _requireNoOffer();
        uint256 held = balanceOf(msg.sender);
        uint256 needed = (totalSupply() * rules.minBps + 9_999) / 10_000;
        if (held < needed) revert SharesTooFew(msg.sender, held, needed);
        uint256 deposit = (totalSupply() - held) * priceMinor;
        uint64 refuseBy = uint64(block.timestamp) + rules.delaySeconds;
        ++offerCount;
        _offer = BuyoutOffer(msg.sender, refuseBy, priceMinor, deposit, 0);
        accounted += deposit;
        emit BuyoutOffered(offerCount, msg.sender, priceMinor, deposit, refuseBy);
        _pull(msg.sender, deposit);
    }

    /// @notice Refuses the offer with `shares` of the sender's, which do not move while it stands. Enough refusals end it.
    function refuseBuyout(uint256 shares) external nonReentrant {
        BuyoutOffer storage offer = _requireOffer();
        if (block.timestamp > offer.refuseBy) revert RefusalOver(offer.refuseBy, block.timestamp);
        uint256 already = refusedBy(msg.sender);
        uint256 held = balanceOf(msg.sender);
        if (msg.sender == offer.offerer || shares == 0 || already + shares > held) {
            revert SharesTooFew(msg.sender, held, already + shares);
        }
        _refusedBy[offerCount][msg.sender] = already + shares;
        offer.refused += shares;
        emit BuyoutRefused(offerCount, msg.sender, shares, offer.refused);
        uint256 others = totalSupply() - balanceOf(offer.offerer);
        if (offer.refused * 10_000 > others * _buyout.refusalBps) {
            _credit(offer.offerer, offer.deposit);
            emit BuyoutFailed(offerCount, offer.refused);
            delete _offer;
        }
    }

    /// @notice Completes an offer that was not refused in time. For anyone.
    function completeBuyout() external nonReentrant {
        BuyoutOffer storage offer = _requireOffer();
        if (block.timestamp <= offer.refuseBy) revert RefusalNotOver(offer.refuseBy, block.timestamp);
        if (undistributed() != 0 || _hasIncomeOfThisBlock()) revert IncomeFirst(undistributed());
        address buyer = offer.offerer;
        _setPhase(Phase.BoughtOut);
        emit BuyoutCompleted(offerCount, buyer, offer.priceMinor);
        uint256 his = balanceOf(buyer);
        if (his != 0) _burn(buyer, his);
        // He may have bought more shares since he paid for them.
        _credit(buyer, offer.deposit - totalSupply() * offer.priceMinor + reserve);
        reserve = 0;
    }

    /// @notice Pays an owner the price of the completed offer for his shares. For anyone; the money goes to the owner.
    function redeem(address owner) external nonReentrant {
        _requirePhase(Phase.BoughtOut);
        uint256 shares = balanceOf(owner);
        if (shares == 0) revert NothingToClaim(owner);
        uint256 amount = shares * _offer.priceMinor;
        _burn(owner, shares);
        emit SharesRedeemed(owner, shares, amount);
        _payOut(owner, amount);
    }

    function _setBuyoutRules(BuyoutRules memory rules) internal {
        _buyout = rules;
        emit BuyoutRulesSet(rules);
    }

    function _beforeShares(address from, address to, uint256 amount) internal override {
        super._beforeShares(from, to, amount);
        if (from == address(0) || phase != Phase.Live || _offer.offerer == address(0)) return;
        if (from == _offer.offerer) revert SharesLockedByOffer(from, balanceOf(from));
        uint256 locked = refusedBy(from);
        if (locked != 0 && balanceOf(from) < locked + amount) revert SharesLockedByOffer(from, locked);
    }

    function _soleOwner() internal view override returns (address) {
        return phase == Phase.BoughtOut ? _offer.offerer : founder;
    }

    function _requireNoOffer() internal view {
        if (_offer.offerer != address(0)) revert BuyoutStands(offerCount);
    }

    function _requireOffer() private view returns (BuyoutOffer storage offer) {
        _requirePhase(Phase.Live);
        offer = _offer;
        if (offer.offerer == address(0)) revert NoBuyoutOffer();
    }
}
