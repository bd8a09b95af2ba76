// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {MachineRegistry} from "../../trust/MachineRegistry.sol";
import {IEthereumDIDRegistry} from "../../trust/account/DidPublisher.sol";
import {MachinePurse} from "../../trust/account/MachinePurse.sol";
import {ClearingHouse} from "../ClearingHouse.sol";
import {Terms} from "../Terms.sol";

/// @title The machine's own account, which is party to agreements too
/// @notice Its key opens agreements in which the account pays, and fills their escrow, within the owner's policy; where the owner
/// lets it sell, it accepts agreements in which the account is paid. Rules: docs/protocol/identity.md.
contract MachineAccount is MachinePurse {
    using SafeERC20 for IERC20;

    bytes32 private constant OPENING_TYPEHASH =
        keccak256("Opening(bytes32 agreementId,uint256 amount,uint256 deadline,bytes32 tenure)");
    bytes32 private constant TOP_UP_TYPEHASH =
        keccak256("TopUp(bytes32 agreementId,uint256 amount,bytes32 salt,uint256 deadline,bytes32 tenure)");
    bytes32 private constant ACCEPTANCE_TYPEHASH = keccak256("Acceptance(bytes32 agreementId,bytes32 tenure)");
    /// @dev First byte of a signature by ERC-1271.
    bytes1 private constant AS_PAYEE = 0x02;

    /// @notice The only clearing house whose agreements the machine's key opens, fills and accepts.
    ClearingHouse public immutable house;

    mapping(bytes32 tenure => mapping(address asset => uint64)) private _sellsUntil;

    event SellingSet(address indexed asset, bytes32 indexed tenure, uint64 until);
    event Escrowed(
        bytes32 indexed agreementId, address indexed asset, address indexed payee, uint256 amount, bytes32 digest
    );
    event Reclaimed(address indexed asset, uint256 amount);

    error PayerDiffers(address have, address needed);
    error PayeeDiffers(address have, address needed);
    error PayerIsPayee(address account);
    /// @dev The payee could hold the stream until the agreement ends, and only the owner may give it away so.
    error OwnStreamsRefused(uint256 machineId);
    error SellingMissing(address asset);
    error SellingExpired(uint256 until, uint256 blockTimestamp);

    constructor(IEthereumDIDRegistry didRegistry_, ClearingHouse house_) MachinePurse(didRegistry_) {
        house = house_;
    }

    /// @notice Lets the machine's key accept agreements that pay the account in an asset, until the machine changes hands. Owner only.
    /// @param until the last good second; zero: no more
    function setSelling(address asset, uint64 until) external {
        _requireOwner();
        ++_state;
        bytes32 current = tenure();
        _sellsUntil[current][asset] = until;
        emit SellingSet(asset, current, until);
    }

    /// @notice Until when the machine's key may accept agreements that pay the account in an asset; zero if it may not.
    function sellsUntil(address asset) external view returns (uint64) {
        return _sellsUntil[tenure()][asset];
    }

    /// @notice Opens an agreement in which the account pays, and puts `amount` into its escrow. Anyone may send it. The whole amount
    /// is spent today, and the payee is whom the policy must name: no agreement takes more than its escrow.
    /// @param payeeAuth as the clearing house takes it
    /// @param signature by the key that speaks for the machine, over `Opening(agreementId, amount, deadline, tenure)`
    function openAgreement(
        Terms calldata terms,
        bytes calldata payeeAuth,
        uint256 amount,
        uint256 deadline,
        bytes calldata signature
    ) external returns (bytes32 id) {
        _requireInTime(deadline);
        if (terms.payer != address(this)) revert PayerDiffers(terms.payer, address(this));
        _requireOthersStreams(terms);
        id = house.hashTerms(terms);
        bytes32 digest = hashOpening(id, amount, deadline);
        _spend(digest, tenure(), terms.asset, terms.payee, amount, signature);
        house.open(terms, "", payeeAuth);
        _escrow(id, terms.asset, terms.payee, amount, digest);
    }

    /// @notice Puts more into the escrow of an agreement in which the account pays. Anyone may send it.
    /// @param signature by the key that speaks for the machine, over `TopUp(agreementId, amount, salt, deadline, tenure)`
    function fundAgreement(bytes32 id, uint256 amount, bytes32 salt, uint256 deadline, bytes calldata signature)
        external
    {
        _requireInTime(deadline);
        Terms memory terms = house.termsOf(id);
        if (terms.payer != address(this)) revert PayerDiffers(terms.payer, address(this));
        bytes32 digest = hashTopUp(id, amount, salt, deadline);
        _spend(digest, tenure(), terms.asset, terms.payee, amount, signature);
        _escrow(id, terms.asset, terms.payee, amount, digest);
    }

    /// @notice Brings home what the clearing house has for the account: escrow that was left, refunds, and what its positions have
    /// earned once it is credited. For anyone. Answers how much.
    function reclaim(address asset) external returns (uint256 amount) {
        amount = house.balanceOfAsset(address(this), asset);
        if (amount == 0) return 0;
        ++_state;
        emit Reclaimed(asset, amount);
        house.withdraw(asset, amount, address(this));
    }

    /// @notice The EIP-712 digest of an opening, as the machine's key signs it now.
    function hashOpening(bytes32 id, uint256 amount, uint256 deadline) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(OPENING_TYPEHASH, id, amount, deadline, tenure())));
    }

    /// @notice The EIP-712 digest of a top-up, as the machine's key signs it now.
    function hashTopUp(bytes32 id, uint256 amount, bytes32 salt, uint256 deadline) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(TOP_UP_TYPEHASH, id, amount, salt, deadline, tenure())));
    }

    /// @notice The EIP-712 digest of the acceptance of an agreement that pays the account, as the machine's key signs it now.
    function hashAcceptance(bytes32 id) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(ACCEPTANCE_TYPEHASH, id, tenure())));
    }

    /// @dev `0x02 || abi.encode(Terms, bytes signature)`: of terms that pay the account, and of nothing else.
    function _requireOtherSignature(bytes32 hash, bytes1 kind, bytes calldata signature) internal view override {
        if (kind != AS_PAYEE) revert SignatureKindUnknown(signature);
        (Terms memory terms, bytes memory proof) = abi.decode(signature[1:], (Terms, bytes));
        bytes32 id = house.hashTerms(terms);
        if (hash != id) revert HashMismatch(hash, id);
        if (terms.payee != address(this)) revert PayeeDiffers(terms.payee, address(this));
        if (terms.payer == address(this)) revert PayerIsPayee(address(this));
        _requireMachine(hashAcceptance(id), proof);
        bytes32 current = tenure();
        _requireNotPaused(current);
        uint64 until = _sellsUntil[current][terms.asset];
        if (until == 0) revert SellingMissing(terms.asset);
        if (block.timestamp > until) revert SellingExpired(until, block.timestamp);
    }

    function _requireOthersStreams(Terms calldata terms) private view {
        if (terms.meters.length == 0) return;
        (, address registry, uint256 machineId) = token();
        bool own = terms.machineId == machineId || MachineRegistry(registry).ownerOf(terms.machineId) == address(this);
        if (own) revert OwnStreamsRefused(terms.machineId);
    }

    /// @dev What was allowed to the clearing house before is allowed no more: it gets `amount` and keeps no allowance.
    function _escrow(bytes32 id, address asset, address payee, uint256 amount, bytes32 digest) private {
        emit Escrowed(id, asset, payee, amount, digest);
        if (amount == 0) return;
        IERC20 money = IERC20(asset);
        money.forceApprove(address(house), amount);
        house.fund(id, amount);
        if (money.allowance(address(this), address(house)) != 0) money.forceApprove(address(house), 0);
    }
}
