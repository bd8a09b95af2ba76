// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {MachineRegistry, State} from "../trust/MachineRegistry.sol";
import {ITariff} from "./ITariff.sol";
import {StreamClaims} from "./StreamClaims.sol";
import {TariffCall} from "./TariffCall.sol";
import {MeterValue, SIGNER_ACCOUNT, SIGNER_MACHINE, SkipReason, Status, Terms, TermsHash} from "./Terms.sol";
import {InertTerms, TermsCode} from "./TermsCode.sol";

/// @title Where a signed meter value is the payment
/// @notice Rules: docs/protocol/agreement.md. No owner, no upgrade, no pause, no fee. The payee's position in an agreement is an
/// ERC-721 token whose id is the agreement's.
contract ClearingHouse is ERC721, EIP712, StreamClaims, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @dev What is earned and not yet credited is `funded - escrow - credited`, so `settle` writes the first slot only.
    struct Account {
        address terms; // code; zero unless open
        uint96 escrow;
        uint96 funded;
        uint96 credited;
    }

    /// @dev `proven` is the most that signed values have shown to be owed, within the cap; `proven - paid` is arrears.
    struct PeriodAccount {
        uint96 paid;
        uint96 proven;
    }

    /// @notice An agreement has at most this many registers.
    uint256 public constant MAX_REGISTERS = 32;

    /// @notice Where machine ids are resolved.
    MachineRegistry public immutable registry;
    address private immutable _inert;

    mapping(bytes32 agreementId => Account) private _accounts;
    mapping(bytes32 agreementId => address) private _closedTerms;
    mapping(bytes32 agreementId => mapping(uint32 period => PeriodAccount)) private _periods;
    mapping(address account => mapping(address asset => uint256)) private _balances;

    event Opened(bytes32 indexed agreementId, address indexed payer, address indexed payee, Terms terms);
    event Funded(bytes32 indexed agreementId, address indexed from, uint256 amount, uint256 escrow);
    event Settled(
        bytes32 indexed agreementId,
        uint32 indexed period,
        uint64 asOf,
        uint256[] registers,
        bytes32 evidenceHead,
        uint256 owed,
        uint256 paid,
        uint256 paidTotal
    );
    event Skipped(bytes32 indexed agreementId, uint32 period, uint8 reason);
    event EscrowShort(bytes32 indexed agreementId, uint32 period, uint256 missing);
    event Collected(bytes32 indexed agreementId, uint32 period, uint256 paid);
    event Credited(bytes32 indexed agreementId, address indexed owner, uint256 amount);
    event Withdrawn(address indexed account, address indexed asset, uint256 amount, address to);
    event Closed(bytes32 indexed agreementId, uint256 refund);

    error OpenByPassed(bytes32 agreementId, uint64 openBy, uint256 blockTimestamp);
    error AgreementExists(bytes32 agreementId);
    error AgreementNotOpen(bytes32 agreementId, Status have);
    error PartyZero(address payer, address payee);
    error PartyNotAuthorized(bytes32 agreementId, address party);
    error AssetHasNoCode(address asset);
    error RegisterCountRefused(uint256 meters, uint256 limits, uint256 maximum);
    error PeriodsRefused(uint32 periodSeconds, uint32 periods);
    error SignerRefused(uint8 signerKind, bytes32 signer);
    error MachineOwnerNotParty(uint256 machineId, address owner);
    error TariffRefused(address tariff, bytes tariffData);
    error AmountTooLarge(uint256 have, uint256 maximum);
    error AmountReceivedDiffers(address asset, uint256 have, uint256 needed);
    error BalanceInsufficient(address account, address asset, uint256 have, uint256 needed);
    error LengthsDiffer(uint256 values, uint256 signatures);
    error CloseTooEarly(bytes32 agreementId, uint256 blockTimestamp, uint256 needed);

    constructor(MachineRegistry registry_) ERC721("Liquefy Position", "POSITION") EIP712("Liquefy ClearingHouse", "1") {
        registry = registry_;
        _inert = address(new InertTerms());
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
        _requireSound(terms);
        _requireAuthorized(id, terms.payer, payerAuth);
        _requireAuthorized(id, terms.payee, payeeAuth);
        _claimStreams(id, terms);
        _accounts[id].terms = TermsCode.store(_inert, terms);
        _mint(terms.payee, uint256(id));
        emit Opened(id, terms.payer, terms.payee, terms);
    }

    /// @notice Adds `amount` of the sender's tokens to the escrow. A token that delivers another amount is refused.
    function fund(bytes32 id, uint256 amount) external nonReentrant {
        IERC20 asset = IERC20(_openTerms(id).asset);
        uint256 before = asset.balanceOf(address(this));
        asset.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = asset.balanceOf(address(this)) - before;
        if (received != amount) revert AmountReceivedDiffers(address(asset), received, amount);

        // The token may have called back, so state is read only now. `nonReentrant` has kept out all that moves tokens.
        Account storage account = _accounts[id];
        if (account.terms == address(0)) revert AgreementNotOpen(id, Status.Closed);
        account.funded = _toUint96(uint256(account.funded) + amount);
        uint96 escrow = _toUint96(uint256(account.escrow) + amount);
        account.escrow = escrow;
        emit Funded(id, msg.sender, amount, escrow);
    }

    /// @notice Pays what signed meter values prove. Any order and any repetition end the same. A bad item is skipped, with its
    /// reason, and holds up no other. Reverts only if gas is too low to judge an item.
    function settle(MeterValue[] calldata values, bytes[] calldata signatures) external {
        if (values.length != signatures.length) revert LengthsDiffer(values.length, signatures.length);
        for (uint256 i = 0; i < values.length; ++i) {
            uint256 free;
            assembly ("memory-safe") {
                free := mload(0x40)
            }
            _settleOne(values[i], signatures[i]);
            // Nothing that an item put into memory outlives it, and memory that only grows costs the square of its size.
            assembly ("memory-safe") {
                mstore(0x40, free)
            }
        }
    }

    /// @notice Pays arrears of the given periods, as far as the escrow goes. For anyone, after a top-up.
    function collect(bytes32 id, uint32[] calldata periods) external {
        Account storage account = _accounts[id];
        if (account.terms == address(0)) revert AgreementNotOpen(id, statusOf(id));
        uint256 escrow = account.escrow;
        for (uint256 i = 0; i < periods.length; ++i) {
            PeriodAccount storage period = _periods[id][periods[i]];
            uint256 arrears = period.proven - period.paid;
            uint256 paid = Math.min(arrears, escrow);
            escrow -= paid;
            period.paid += uint96(paid);
            emit Collected(id, periods[i], paid);
            if (paid < arrears) emit EscrowShort(id, periods[i], arrears - paid);
        }
        account.escrow = uint96(escrow);
    }

    /// @notice Moves what positions have earned to their owners' balances. For anyone.
    function credit(bytes32[] calldata ids) external {
        for (uint256 i = 0; i < ids.length; ++i) {
            _credit(ids[i], _requireOwned(uint256(ids[i])));
        }
    }

    /// @notice Pays out of the sender's balance.
    function withdraw(address asset, uint256 amount, address to) external nonReentrant {
        uint256 have = _balances[msg.sender][asset];
        if (have < amount) revert BalanceInsufficient(msg.sender, asset, have, amount);
        _balances[msg.sender][asset] = have - amount;
        emit Withdrawn(msg.sender, asset, amount, to);
        IERC20(asset).safeTransfer(to, amount);
    }

    /// @notice Ends an agreement: by the position's owner at any time, by anyone after the last period's end plus
    /// `lateSeconds` plus `settleSeconds`. What is left in escrow goes to the payer's balance.
    function close(bytes32 id) external {
        Terms memory terms = _openTerms(id);
        uint256 end = terms.start + uint256(terms.periodSeconds) * terms.periods + terms.lateSeconds
            + terms.settleSeconds;
        if (msg.sender != _ownerOf(uint256(id)) && block.timestamp <= end) {
            revert CloseTooEarly(id, block.timestamp, end);
        }
        Account storage account = _accounts[id];
        uint96 refund = account.escrow;
        _closedTerms[id] = account.terms;
        account.terms = address(0);
        account.escrow = 0;
        account.funded -= refund;
        _balances[terms.payer][terms.asset] += refund;
        _releaseStreams(terms);
        emit Closed(id, refund);
    }

    /// @notice Terms of an agreement, open or closed.
    function termsOf(bytes32 id) external view returns (Terms memory) {
        address code = _accounts[id].terms;
        if (code == address(0)) code = _closedTerms[id];
        if (code == address(0)) revert AgreementNotOpen(id, Status.None);
        return TermsCode.read(code);
    }

    /// @notice What is left to pay from.
    function escrowOf(bytes32 id) external view returns (uint256) {
        return _accounts[id].escrow;
    }

    /// @notice What the position has earned and `credit` has not moved yet.
    function accruedOf(bytes32 id) public view returns (uint256) {
        Account storage account = _accounts[id];
        return account.funded - account.escrow - account.credited;
    }

    /// @notice What a period has been paid, and what is proven to be owed for it within the cap.
    function periodOf(bytes32 id, uint32 period) external view returns (uint96 paid, uint96 proven) {
        PeriodAccount storage account = _periods[id][period];
        return (account.paid, account.proven);
    }

    /// @notice What `account` may withdraw of `asset`.
    function balanceOfAsset(address account, address asset) external view returns (uint256) {
        return _balances[account][asset];
    }

    /// @notice None, Open or Closed.
    function statusOf(bytes32 id) public view returns (Status) {
        if (_accounts[id].terms != address(0)) return Status.Open;
        return _closedTerms[id] == address(0) ? Status.None : Status.Closed;
    }

    /// @notice The agreement id: the EIP-712 digest of the terms.
    function hashTerms(Terms memory terms) public view returns (bytes32) {
        return _hashTypedDataV4(TermsHash.hashTerms(terms));
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
        address code = _accounts[id].terms;
        address asset = TermsCode.read(code == address(0) ? _closedTerms[id] : code).asset;
        _accounts[id].credited += uint96(amount);
        _balances[owner][asset] += amount;
        emit Credited(id, owner, amount);
    }

    function _settleOne(MeterValue calldata value, bytes calldata signature) private {
        Account memory account = _readHot(value.agreementId);
        (bool ok, SkipReason reason, uint256 owed, uint256 due) = _assess(account.terms, value, signature);
        if (ok) _pay(value, account, owed, due);
        else emit Skipped(value.agreementId, value.period, uint8(reason));
    }

    /// @dev Judges one item, cheapest check first.
    /// @return ok whether it pays
    /// @return reason why it does not
    /// @return owed what the tariff says
    /// @return due what the period then costs in all, within the cap
    function _assess(
        address code,
        MeterValue calldata value,
        bytes calldata signature
    ) private view returns (bool ok, SkipReason reason, uint256 owed, uint256 due) {
        if (code == address(0)) return (false, SkipReason.NOT_OPEN, 0, 0);
        uint256 terms = TermsCode.load(code);
        if (value.period >= TermsCode.periods(terms)) return (false, SkipReason.PERIOD_UNKNOWN, 0, 0);
        uint256 elapsed;
        unchecked {
            // start, period and its length are below 2^64, 2^32 and 2^32
            uint256 periodStart = TermsCode.start(terms) + value.period * TermsCode.periodSeconds(terms);
            elapsed = value.asOf - periodStart;
            if (value.asOf < periodStart || elapsed > TermsCode.periodSeconds(terms)) {
                return (false, SkipReason.AS_OF_OUTSIDE_PERIOD, 0, 0);
            }
        }
        if (value.asOf > block.timestamp) return (false, SkipReason.AS_OF_IN_FUTURE, 0, 0);
        if (value.registers.length != TermsCode.limitCount(terms)) return (false, SkipReason.REGISTER_COUNT, 0, 0);
        if (!_withinLimits(terms, value.registers, elapsed)) return (false, SkipReason.RATE_BOUND, 0, 0);
        (ok, reason) = _checkSigner(terms, _hashTypedDataV4(TermsHash.hashMeterValue(value)), signature);
        if (!ok) return (false, reason, 0, 0);
        (ok, owed) =
            TariffCall.owed(TermsCode.tariff(terms), TermsCode.tariffData(terms), value.registers, elapsed);
        if (!ok) return (false, SkipReason.TARIFF_FAILED, 0, 0);
        if (owed > type(uint96).max) return (false, SkipReason.AMOUNT_TOO_LARGE, 0, 0);
        due = Math.min(owed, TermsCode.capMinor(terms));
    }

    /// @dev Saturating, so that no limit of the terms overflows and blocks its own agreement.
    function _withinLimits(uint256 terms, uint256[] calldata registers, uint256 elapsed) private pure returns (bool) {
        for (uint256 i = 0; i < registers.length; ++i) {
            (uint256 burst, uint256 perHour) = TermsCode.limit(terms, i);
            uint256 register = registers[i];
            if (register > burst && register > Math.saturatingAdd(burst, Math.saturatingMul(perHour, elapsed) / 3600)) {
                return false;
            }
        }
        return true;
    }

    function _checkSigner(
        uint256 terms,
        bytes32 digest,
        bytes calldata signature
    ) private view returns (bool ok, SkipReason reason) {
        uint256 signer = TermsCode.signer(terms);
        if (TermsCode.signerKind(terms) == SIGNER_MACHINE) {
            if (registry.verify(signer, digest, signature)) return (true, reason);
            return (false, registry.isActive(signer) ? SkipReason.SIGNATURE_INVALID : SkipReason.SIGNER_NOT_ACTIVE);
        }
        (address recovered, ECDSA.RecoverError failure,) = ECDSA.tryRecoverCalldata(digest, signature);
        ok = failure == ECDSA.RecoverError.NoError && recovered == address(uint160(signer));
        reason = SkipReason.SIGNATURE_INVALID;
    }

    function _pay(MeterValue calldata value, Account memory account, uint256 owed, uint256 due) private {
        PeriodAccount storage stored = _periods[value.agreementId][value.period];
        PeriodAccount memory period = stored;
        uint256 missing = due > period.paid ? due - period.paid : 0;
        uint256 paid = Math.min(missing, account.escrow);
        // `due` is at most the cap, and a cap is below 2^96.
        if (due > period.proven) {
            period.proven = uint96(due);
            stored.proven = uint96(due);
        }
        if (paid != 0) {
            period.paid += uint96(paid);
            stored.paid = period.paid;
        }
        if (paid != 0) _accounts[value.agreementId].escrow = account.escrow - uint96(paid);
        emit Settled(
            value.agreementId,
            value.period,
            value.asOf,
            value.registers,
            value.evidenceHead,
            owed,
            paid,
            period.paid
        );
        if (paid < missing) emit EscrowShort(value.agreementId, value.period, missing - paid);
    }

    function _readHot(bytes32 id) private view returns (Account memory account) {
        Account storage stored = _accounts[id];
        account.terms = stored.terms;
        account.escrow = stored.escrow;
    }

    function _openTerms(bytes32 id) private view returns (Terms memory) {
        address code = _accounts[id].terms;
        if (code == address(0)) revert AgreementNotOpen(id, statusOf(id));
        return TermsCode.read(code);
    }

    function _requireSound(Terms calldata terms) private view {
        if (terms.payer == address(0) || terms.payee == address(0)) revert PartyZero(terms.payer, terms.payee);
        if (terms.asset.code.length == 0) revert AssetHasNoCode(terms.asset);
        if (terms.capMinor > type(uint96).max) revert AmountTooLarge(terms.capMinor, type(uint96).max);
        if (terms.periodSeconds == 0 || terms.periods == 0) revert PeriodsRefused(terms.periodSeconds, terms.periods);
        uint256 count = terms.limits.length;
        if (count > MAX_REGISTERS || (terms.meters.length != 0 && terms.meters.length != count)) {
            revert RegisterCountRefused(terms.meters.length, count, MAX_REGISTERS);
        }
        if (!_isSigner(terms.signerKind, terms.signer)) revert SignerRefused(terms.signerKind, terms.signer);
        if (terms.meters.length != 0) {
            address owner = registry.ownerOf(terms.machineId);
            if (owner != terms.payer && owner != terms.payee) revert MachineOwnerNotParty(terms.machineId, owner);
        }
        try ITariff(terms.tariff).validate(terms.tariffData, count) returns (bool accepted) {
            if (!accepted) revert TariffRefused(terms.tariff, terms.tariffData);
        } catch {
            revert TariffRefused(terms.tariff, terms.tariffData);
        }
    }

    function _isSigner(uint8 kind, bytes32 signer) private view returns (bool) {
        if (kind == SIGNER_MACHINE) return registry.stateOf(uint256(signer)) != State.None;
        return kind == SIGNER_ACCOUNT && signer != 0 && uint256(signer) <= type(uint160).max;
    }

    function _requireAuthorized(bytes32 id, address party, bytes calldata signature) private view {
        if (party == msg.sender) return;
        if (!SignatureChecker.isValidSignatureNowCalldata(party, id, signature)) revert PartyNotAuthorized(id, party);
    }

    function _toUint96(uint256 amount) private pure returns (uint96) {
        if (amount > type(uint96).max) revert AmountTooLarge(amount, type(uint96).max);
        return uint96(amount);
    }
}
