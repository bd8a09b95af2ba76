// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {MachineRegistry} from "../trust/MachineRegistry.sol";
import {Deposits} from "./Deposits.sol";
import {Settlement} from "./Settlement.sol";
import {Signers} from "./Signers.sol";
import {StreamClaims} from "./StreamClaims.sol";
import {Status, Terms} from "./Terms.sol";
import {EncodedTerms, TermsCode} from "./TermsCode.sol";
import {TermsRules} from "./TermsRules.sol";

/// @title Agreements of machines, their money, and the positions that earn it
/// @notice Rules: docs/protocol/agreement.md. No owner, no upgrade, no pause, no fee. The payee's position in an agreement is an
/// ERC-721 token whose id is the agreement's.
contract ClearingHouse is ERC721, StreamClaims, Deposits, Settlement {
    using SafeERC20 for IERC20;

    TermsRules private immutable _rules;

    event Opened(bytes32 indexed agreementId, address indexed payer, address indexed payee, Terms terms);
    event Collected(bytes32 indexed agreementId, uint32 period, uint256 paid);
    event Credited(bytes32 indexed agreementId, address indexed owner, uint256 amount);
    event Withdrawn(address indexed account, address indexed asset, uint256 amount, address to);
    event Refunded(bytes32 indexed agreementId, uint32 indexed period, address from, uint256 amount);
    event Closed(bytes32 indexed agreementId, uint256 refund);

    error OpenByPassed(bytes32 agreementId, uint64 openBy, uint256 blockTimestamp);
    error AgreementExists(bytes32 agreementId);
    error PartyNotAuthorized(bytes32 agreementId, address party);
    error BalanceInsufficient(address account, address asset, uint256 have, uint256 needed);
    error NotPositionOwner(bytes32 agreementId, address caller, address owner);
    error CloseTooEarly(bytes32 agreementId, uint256 blockTimestamp, uint256 needed);
    error ArrearsOpen(bytes32 agreementId, uint256 arrears);

    constructor(MachineRegistry registry_)
        ERC721("Liquefy Position", "POSITION")
        EIP712("Liquefy ClearingHouse", "1")
        Signers(registry_)
    {
        _rules = new TermsRules(registry_);
    }

    /// @notice Opens an agreement before `terms.openBy` and mints the position to the payee.
    /// @param payerAuth the payer's signature of the agreement id (ECDSA or ERC-1271); ignored if he is the sender
    /// @param payeeAuth likewise, of the payee
    function open(
        Terms calldata terms,
        bytes calldata payerAuth,
        bytes calldata payeeAuth
    ) external returns (bytes32 id) {
        id = hashTerms(terms);
        if (block.timestamp >= terms.openBy) revert OpenByPassed(id, terms.openBy, block.timestamp);
        if (statusOf(id) != Status.None) revert AgreementExists(id);
        _rules.requireSound(terms);
        _requireAuthorized(id, terms.payer, payerAuth);
        _requireAuthorized(id, terms.payee, payeeAuth);
        _writeAccount(id, Account({escrow: 0, paid: 0, period: 0, status: Status.Open, recorded: false}));
        _claimStreams(id, TermsCode.store(id, terms));
        _mint(terms.payee, uint256(id));
        emit Opened(id, terms.payer, terms.payee, terms);
    }

    /// @notice Pays arrears of the given periods, as far as the escrow goes. For anyone, after a top-up.
    function collect(bytes32 id, uint32[] calldata periods) external {
        _requireOpen(id);
        Account memory account = _readAccount(id);
        for (uint256 i = 0; i < periods.length; ++i) {
            Period memory state = _readPeriod(id, account, periods[i]);
            (uint256 paid, uint256 short) = _pay(id, account, periods[i], state, state.proven);
            emit Collected(id, periods[i], paid);
            if (short != 0) emit EscrowShort(id, periods[i], short);
        }
        _writeAccount(id, account);
    }

    /// @notice Moves what positions have earned to their owners' balances. For anyone.
    function credit(bytes32[] calldata ids) external {
        for (uint256 i = 0; i < ids.length; ++i) {
            _credit(ids[i], _requireOwned(uint256(ids[i])));
        }
    }

    /// @notice Gives the payer money of a period back, into his balance. By the position's owner, out of what the position has
    /// earned and then his balance. What the period was paid stays on record.
    function refund(bytes32 id, uint32 period, uint256 amount) external {
        address owner = _requireOwned(uint256(id));
        if (owner != msg.sender) revert NotPositionOwner(id, msg.sender, owner);
        EncodedTerms terms = TermsCode.load(id);
        if (period >= terms.periods()) revert PeriodUnknown(id, period, terms.periods());
        _credit(id, owner);
        _debit(terms.asset(), amount);
        _balances[terms.payer()][terms.asset()] += amount;
        emit Refunded(id, period, owner, amount);
    }

    /// @notice Pays out of the sender's balance.
    function withdraw(address asset, uint256 amount, address to) external nonReentrant {
        _debit(asset, amount);
        emit Withdrawn(msg.sender, asset, amount, to);
        IERC20(asset).safeTransfer(to, amount);
    }

    /// @notice Ends an agreement: by the position's owner at any time, by anyone after the last period's end plus
    /// `lateSeconds` plus `settleSeconds`. What is left in escrow goes to the payer's balance; arrears come first.
    function close(bytes32 id) external {
        _requireOpen(id);
        EncodedTerms terms = TermsCode.load(id);
        uint256 end =
            terms.start() + terms.periodSeconds() * terms.periods() + terms.lateSeconds() + terms.settleSeconds();
        if (msg.sender != _ownerOf(uint256(id)) && block.timestamp <= end) {
            revert CloseTooEarly(id, block.timestamp, end);
        }
        Account memory account = _readAccount(id);
        uint96 left = account.escrow;
        uint256 arrears = _totals[id].arrears;
        if (left != 0 && arrears != 0) revert ArrearsOpen(id, arrears);
        account.status = Status.Closed;
        account.escrow = 0;
        _writeAccount(id, account);
        _totals[id].funded -= left;
        _balances[terms.payer()][terms.asset()] += left;
        _releaseStreams(terms);
        emit Closed(id, left);
    }

    /// @notice Terms of an agreement, open or closed.
    function termsOf(bytes32 id) external view returns (Terms memory) {
        if (statusOf(id) == Status.None) revert AgreementNotOpen(id, Status.None);
        TermsCode.returnAll(id);
    }

    /// @notice The agreement id: the EIP-712 digest of the terms.
    function hashTerms(Terms calldata terms) public view returns (bytes32) {
        return _hashTypedDataV4(_rules.hash(terms));
    }

    /// @dev A transfer first credits the seller: income of the past moves with nobody.
    function _update(address to, uint256 tokenId, address auth) internal override returns (address) {
        address from = _ownerOf(tokenId);
        if (from != address(0)) _credit(bytes32(tokenId), from);
        return super._update(to, tokenId, auth);
    }

    function _credit(bytes32 id, address owner) private {
        uint256 amount = accruedOf(id);
        if (amount == 0) return;
        _totals[id].credited += uint96(amount);
        _balances[owner][TermsCode.load(id).asset()] += amount;
        emit Credited(id, owner, amount);
    }

    function _debit(address asset, uint256 amount) private {
        uint256 have = _balances[msg.sender][asset];
        if (have < amount) revert BalanceInsufficient(msg.sender, asset, have, amount);
        _balances[msg.sender][asset] = have - amount;
    }

    function _requireAuthorized(bytes32 id, address party, bytes calldata signature) private view {
        if (party == msg.sender) return;
        if (!SignatureChecker.isValidSignatureNowCalldata(party, id, signature)) revert PartyNotAuthorized(id, party);
    }
}
