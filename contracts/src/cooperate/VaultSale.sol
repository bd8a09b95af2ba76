// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {VaultIncome} from "./VaultIncome.sol";
import {Phase, Sale} from "./VaultSetup.sol";

/// @title Primary sale of a vault's shares: fixed price, cap, deadline, refund if the goal is missed
/// @notice A buyer has his shares at once; they do not move until the sale has ended. Income of that time waits, and is the owners' when the
/// sale succeeds, the founder's when it fails. Rules: docs/protocol/vault.md.
abstract contract VaultSale is VaultIncome {
    using SafeERC20 for IERC20;

    /// @notice Who made the vault: gets the proceeds of the sale, or everything back.
    address public founder;
    /// @notice What was sold so far, in shares.
    uint256 public sold;
    /// @notice Shares bought by an account in the sale and not refunded.
    mapping(address account => uint256 shares) public boughtBy;

    Sale private _sale;

    event SaleOpened(Sale sale);
    event SharesBought(address indexed payer, address indexed to, uint256 shares, uint256 paid);
    event SaleClosed(bool succeeded, uint256 sold, uint256 proceeds);
    event SaleRefunded(address indexed account, uint256 shares, uint256 amount);

    error SaleOver(uint64 deadline, uint256 blockTimestamp);
    error SaleNotOver(uint64 deadline, uint256 blockTimestamp);
    error SharesSoldOut(uint256 wanted, uint256 left);
    error AmountReceivedDiffers(address asset, uint256 have, uint256 needed);
    error NothingBought(address account);


    /// @notice Buys shares for `to` at the fixed price; the sender has approved it. The last share closes the sale.
    function buyShares(uint128 shares, address to) external nonReentrant {
        _requirePhase(Phase.Selling);
        Sale memory terms = _sale;
        if (block.timestamp > terms.deadline) revert SaleOver(terms.deadline, block.timestamp);
        uint256 left = terms.cap - sold;
        if (shares == 0 || shares > left) revert SharesSoldOut(shares, left);
        uint256 price = uint256(shares) * terms.priceMinor;
        sold += shares;
        boughtBy[to] += shares;
        accounted += price;
        _mint(to, shares);
        emit SharesBought(msg.sender, to, shares, price);
        _pull(msg.sender, price);
        if (sold == terms.cap) _closeSale(terms);
    }

    /// @notice Ends a sale whose deadline has passed. For anyone. With its goal reached the founder has the proceeds and the owners the
    /// machines; else the machines go back to him.
    function closeSale() external nonReentrant {
        _requirePhase(Phase.Selling);
        Sale memory terms = _sale;
        if (block.timestamp <= terms.deadline) revert SaleNotOver(terms.deadline, block.timestamp);
        _closeSale(terms);
    }

    /// @notice Gives a buyer of a failed sale his money for his shares. For anyone; the money goes to the buyer.
    function refundShares(address account) external nonReentrant {
        _requirePhase(Phase.Failed);
        uint256 shares = boughtBy[account];
        if (shares == 0) revert NothingBought(account);
        boughtBy[account] = 0;
        uint256 amount = shares * _sale.priceMinor;
        _burn(account, shares);
        emit SaleRefunded(account, shares, amount);
        _payOut(account, amount);
    }

    function _openSale(Sale memory terms) internal {
        if (terms.cap == 0) return _setPhase(Phase.Live);
        _sale = terms;
        emit SaleOpened(terms);
    }

    function _closeSale(Sale memory terms) private {
        uint256 proceeds = sold * terms.priceMinor;
        // A goal of zero is reached by nobody buying; then there must be shares of the founder's, or nobody could vote.
        bool succeeded = sold >= terms.goal && totalSupply() != 0;
        emit SaleClosed(succeeded, sold, proceeds);
        if (succeeded) {
            _credit(founder, proceeds);
            return _setPhase(Phase.Live);
        }
        _setPhase(Phase.Failed);
        _afterFailure();
    }

    /// @dev Takes exactly `amount` of the asset from `from`.
    function _pull(address from, uint256 amount) internal {
        uint256 before = asset.balanceOf(address(this));
        asset.safeTransferFrom(from, address(this), amount);
        uint256 received = asset.balanceOf(address(this)) - before;
        if (received != amount) revert AmountReceivedDiffers(address(asset), received, amount);
    }

    /// @dev The machines go home.
    function _afterFailure() internal virtual;
}
