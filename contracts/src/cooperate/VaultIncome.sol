// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ClearingHouse} from "../transact/ClearingHouse.sol";
import {VaultShares} from "./VaultShares.sol";
import {Phase} from "./VaultSetup.sol";
import {Fee, Split, Waterfall} from "./Waterfall.sol";

/// @title Income of a vault: through the waterfall, then to its owners, who pull it at a cost that does not grow with their number
/// @notice Rules: docs/protocol/vault.md. Income is what lies on the vault of its asset and is not accounted for, wherever it came from.
/// Who holds shares at the end of the block of an income has earned it: a share that comes and goes within a block earns nothing.
/// Every owner keeps his fraction of a smallest unit for the next income, so that nothing is lost: revenue = paid out + reserve +
/// what owners, lender and fees may still pull, exactly but for one carried remainder of less than a smallest unit.
abstract contract VaultIncome is VaultShares, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @dev Fractions of a smallest unit, 2^-96 each.
    uint256 private constant SCALE = 2 ** 96;

    /// @dev `income` is earned and not yet paid out, scaled, as of `perShare`.
    struct Owner {
        uint256 perShare;
        uint256 income;
    }

    /// @notice Where agreements pay.
    ClearingHouse public immutable clearingHouse;
    /// @notice What the vault earns; all its amounts are smallest units of it.
    IERC20 public asset;
    /// @notice Kept for the machine's upkeep; spent by vote.
    uint256 public reserve;
    /// @notice Of the asset on the vault, what belongs to somebody or to the reserve already.
    uint256 public accounted;
    /// @notice What an account may pull that it did not earn by shares: a lender, a fee, the founder's proceeds.
    mapping(address account => uint256) public creditOf;

    Waterfall private _waterfall;
    /// @dev All income a share has earned so far, scaled.
    uint256 private _perShare;
    /// @dev What division by the number of shares has left, scaled.
    uint256 private _remainder;
    /// @dev Income of block `_pendingBlock`: whose it is shows when that block is over.
    uint128 private _pending;
    uint64 private _pendingBlock;
    mapping(address owner => Owner) private _owners;

    /// @notice The four of `split` add up to `amount`.
    event Income(uint256 amount, Split split);
    event FeePaid(address indexed to, uint256 amount);
    event Claimed(address indexed owner, address indexed to, uint256 amount);
    event CreditPaid(address indexed account, uint256 amount);
    event WaterfallSet(Waterfall waterfall);

    error NothingToClaim(address account);
    error IncomeTooLarge(uint256 have, uint256 most);

    constructor(ClearingHouse clearingHouse_) {
        clearingHouse = clearingHouse_;
    }

    // --- income in ------------------------------------------------------------------------------------------------------

    /// @notice Credits agreements, takes what the clearing house holds for the vault, and distributes. For anyone.
    /// @return amount what came in
    function collect(bytes32[] calldata agreementIds) external nonReentrant returns (uint256 amount) {
        clearingHouse.credit(agreementIds);
        uint256 balance = clearingHouse.balanceOfAsset(address(this), address(asset));
        if (balance != 0) clearingHouse.withdraw(address(asset), balance, address(this));
        return _distribute();
    }

    /// @notice Sends what lies on the vault and is nobody's yet through the waterfall. For anyone.
    /// @return amount what came in
    function distribute() external nonReentrant returns (uint256 amount) {
        return _distribute();
    }

    /// @notice What lies on the vault and is nobody's yet.
    function undistributed() public view returns (uint256) {
        return asset.balanceOf(address(this)) - accounted;
    }

    // --- income out -----------------------------------------------------------------------------------------------------

    /// @notice Pays an owner what his shares have earned. For anyone; the money goes to the owner.
    function claim(address owner) external nonReentrant returns (uint256) {
        return _claim(owner, owner);
    }

    /// @notice Pays what the sender's shares have earned to another address, say because a token blocks his own.
    function claimTo(address to) external nonReentrant returns (uint256) {
        return _claim(msg.sender, to);
    }

    /// @notice Pays an account its credit: a lender, a fee, the founder. For anyone; the money goes to the account.
    function payCredit(address account) external nonReentrant returns (uint256 amount) {
        amount = creditOf[account];
        if (amount == 0) revert NothingToClaim(account);
        creditOf[account] = 0;
        emit CreditPaid(account, amount);
        _payOut(account, amount);
    }

    /// @notice What `claim` would pay now. Income of this very block is not in it.
    function claimableOf(address owner) external view returns (uint256) {
        (uint256 perShare,) = _foldedPerShare();
        Owner storage his = _owners[owner];
        return (his.income + balanceOf(owner) * (perShare - his.perShare)) / SCALE;
    }

    /// @notice The order in which income is used.
    function waterfall() external view returns (Waterfall memory) {
        return _waterfall;
    }

    // --- inside ---------------------------------------------------------------------------------------------------------

    function _setWaterfall(Waterfall memory waterfall_) internal {
        _waterfall = waterfall_;
        emit WaterfallSet(waterfall_);
    }

    function _distribute() internal returns (uint256 amount) {
        if (phase == Phase.Selling) revert PhaseRefused(phase, Phase.Live);
        amount = undistributed();
        if (amount == 0) return 0;
        accounted += amount;
        if (phase != Phase.Live) {
            _credit(_soleOwner(), amount);
            emit Income(amount, Split(0, 0, 0, amount));
            return amount;
        }
        Split memory split = _split(amount);
        _fold();
        uint256 pending = _pending + split.owners;
        if (pending > type(uint128).max) revert IncomeTooLarge(pending, type(uint128).max);
        _pending = uint128(pending);
        _pendingBlock = uint64(block.number);
        emit Income(amount, split);
    }

    function _split(uint256 amount) private returns (Split memory split) {
        uint256 left = amount;
        uint256 target = _waterfall.reserveTarget;
        if (reserve < target) {
            split.reserve = _min(left, target - reserve);
            reserve += split.reserve;
            left -= split.reserve;
        }
        uint256 outstanding = _waterfall.outstanding;
        if (outstanding != 0) {
            split.lender = _min(left, outstanding);
            _waterfall.outstanding = uint128(outstanding - split.lender);
            _credit(_waterfall.lender, split.lender);
            left -= split.lender;
        }
        uint256 count = _waterfall.fees.length;
        for (uint256 i = 0; i < count; ++i) {
            Fee storage fee = _waterfall.fees[i];
            uint256 part = left * fee.bps / 10_000;
            split.fees += part;
            _credit(fee.to, part);
            emit FeePaid(fee.to, part);
        }
        split.owners = left - split.fees;
    }

    function _credit(address account, uint256 amount) internal {
        creditOf[account] += amount;
    }

    /// @dev Takes `amount` out of what is accounted for, and sends it.
    function _payOut(address to, uint256 amount) internal {
        accounted -= amount;
        asset.safeTransfer(to, amount);
    }

    function _claim(address owner, address to) private returns (uint256 amount) {
        _fold();
        _settle(owner);
        Owner storage his = _owners[owner];
        amount = his.income / SCALE;
        if (amount == 0) revert NothingToClaim(owner);
        his.income %= SCALE;
        emit Claimed(owner, to, amount);
        _payOut(to, amount);
    }

    function _beforeShares(address from, address to, uint256) internal virtual override {
        _fold();
        if (from != address(0)) _settle(from);
        if (to != address(0)) _settle(to);
    }

    function _settle(address owner) private {
        Owner storage his = _owners[owner];
        uint256 perShare = _perShare;
        uint256 earned = perShare - his.perShare;
        if (earned == 0) return;
        his.income += balanceOf(owner) * earned;
        his.perShare = perShare;
    }

    /// @dev Income of a block that is over becomes its holders': they are the same until the next shares move.
    function _fold() private {
        if (_pending == 0 || _pendingBlock == block.number) return;
        (_perShare, _remainder) = _foldedPerShare();
        _pending = 0;
    }

    function _foldedPerShare() private view returns (uint256 perShare, uint256 remainder) {
        if (_pending == 0 || _pendingBlock == block.number) return (_perShare, _remainder);
        uint256 shares = totalSupply();
        uint256 scaled = uint256(_pending) * SCALE + _remainder;
        return (_perShare + scaled / shares, scaled % shares);
    }

    /// @dev Shares that are burned would lose the income that this block has brought.
    function _hasIncomeOfThisBlock() internal view returns (bool) {
        return _pending != 0 && _pendingBlock == block.number;
    }

    /// @dev Whose income is when the vault is no longer many people's.
    function _soleOwner() internal view virtual returns (address);

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
