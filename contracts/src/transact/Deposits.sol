// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Accounts} from "./Accounts.sol";
import {MessageHash} from "./MessageHash.sol";
import {Funding} from "./Terms.sol";
import {EncodedTerms, TermsCode} from "./TermsCode.sol";
import {ITermsRefusals} from "./TermsRules.sol";

/// @title How tokens get into escrow: by transaction, by signature, by ERC-3009
/// @notice What arrives is measured; a token that delivers another amount is refused.
abstract contract Deposits is Accounts, EIP712, ReentrancyGuardTransient, ITermsRefusals {
    using SafeERC20 for IERC20;

    mapping(bytes32 digest => bool) private _usedFundings;

    event Funded(bytes32 indexed agreementId, address indexed from, uint256 amount, uint256 escrow);

    error AmountReceivedDiffers(address asset, uint256 have, uint256 needed);
    error FundingExpired(uint256 deadline, uint256 blockTimestamp);
    error FundingUsed(bytes32 digest);
    error FundingNotAuthorized(bytes32 digest, address from);

    /// @notice Adds `amount` of the sender's tokens to the escrow; he has approved it.
    function fund(bytes32 id, uint256 amount) external nonReentrant {
        (IERC20 asset, uint256 before) = _beforeTransfer(id);
        asset.safeTransferFrom(msg.sender, address(this), amount);
        _deposit(id, asset, before, msg.sender, amount);
    }

    /// @notice Adds `funding.amount` of `funding.from`'s tokens to the escrow. For anyone; each funding counts once.
    /// @param auth signature of the funding by `funding.from` (ECDSA or ERC-1271); ignored if he is the sender
    /// @param permit empty if he has approved it, or abi.encode(uint256 deadline, uint8 v, bytes32 r, bytes32 s) of an EIP-2612
    /// permit of exactly that amount. One that somebody else has spent already is no error.
    function fundSigned(Funding calldata funding, bytes calldata auth, bytes calldata permit) external nonReentrant {
        _useFunding(funding, auth);
        (IERC20 asset, uint256 before) = _beforeTransfer(funding.agreementId);
        if (permit.length != 0) _permit(address(asset), funding.from, funding.amount, permit);
        asset.safeTransferFrom(funding.from, address(this), funding.amount);
        _deposit(funding.agreementId, asset, before, funding.from, funding.amount);
    }

    /// @notice Adds tokens to the escrow by an ERC-3009 authorization to receive, whose nonce is
    /// keccak256(abi.encode(id, salt)), so that it counts for no other agreement. For anyone.
    function fundWithAuthorization(
        bytes32 id,
        address from,
        uint256 amount,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 salt,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant {
        (IERC20 asset, uint256 before) = _beforeTransfer(id);
        bytes32 nonce = keccak256(abi.encode(id, salt));
        IERC3009(address(asset)).receiveWithAuthorization(
            from, address(this), amount, validAfter, validBefore, nonce, v, r, s
        );
        _deposit(id, asset, before, from, amount);
    }

    function _useFunding(Funding calldata funding, bytes calldata auth) private {
        if (block.timestamp > funding.deadline) revert FundingExpired(funding.deadline, block.timestamp);
        bytes32 digest = _hashTypedDataV4(MessageHash.ofFunding(funding));
        if (_usedFundings[digest]) revert FundingUsed(digest);
        _usedFundings[digest] = true;
        if (msg.sender == funding.from) return;
        if (!SignatureChecker.isValidSignatureNowCalldata(funding.from, digest, auth)) {
            revert FundingNotAuthorized(digest, funding.from);
        }
    }

    function _permit(address asset, address from, uint256 amount, bytes calldata permit) private {
        (uint256 deadline, uint8 v, bytes32 r, bytes32 s) = abi.decode(permit, (uint256, uint8, bytes32, bytes32));
        // Whoever saw the permit may have sent it already. What counts is the allowance, which the transfer needs.
        try IERC20Permit(asset).permit(from, address(this), amount, deadline, v, r, s) {} catch {}
    }

    function _beforeTransfer(bytes32 id) private view returns (IERC20 asset, uint256 before) {
        _requireOpen(id);
        EncodedTerms terms = TermsCode.load(id);
        asset = IERC20(terms.asset());
        before = asset.balanceOf(address(this));
    }

    function _deposit(bytes32 id, IERC20 asset, uint256 before, address from, uint256 amount) private {
        uint256 received = asset.balanceOf(address(this)) - before;
        if (received != amount) revert AmountReceivedDiffers(address(asset), received, amount);
        // The token may have called back, so state is read only now. `nonReentrant` has kept out all that moves tokens.
        _requireOpen(id);
        uint256 funded = _totals[id].funded + amount;
        if (funded > type(uint96).max) revert AmountTooLarge(funded, type(uint96).max);
        _totals[id].funded = uint96(funded);
        Account memory account = _readAccount(id);
        account.escrow += uint96(amount); // no more than `funded`
        _writeAccount(id, account);
        emit Funded(id, from, amount, account.escrow);
    }
}
