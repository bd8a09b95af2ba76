// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ERC1155Holder} from "@openzeppelin/contracts/token/ERC1155/utils/ERC1155Holder.sol";
import {ERC721Holder} from "@openzeppelin/contracts/token/ERC721/utils/ERC721Holder.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {IERC6551Account} from "erc6551/interfaces/IERC6551Account.sol";
import {IERC6551Executable} from "erc6551/interfaces/IERC6551Executable.sol";
import {ERC6551AccountLib} from "erc6551/lib/ERC6551AccountLib.sol";
import {MachineRegistry} from "../MachineRegistry.sol";
import {Authorization, Authorizations} from "./Authorization.sol";
import {DidPublisher, IEthereumDIDRegistry} from "./DidPublisher.sol";
import {Policy, SpendingPolicy} from "./SpendingPolicy.sol";

/// @notice What the machine's key signs to pay out of the account. Whoever relays it, `to` gets `amount` of `asset`.
struct Payment {
    address asset;
    address to;
    uint256 amount;
    bytes32 salt;
    uint256 deadline;
}

/// @title What a machine's own account, an ERC-6551 account of its token, is without agreements
/// @notice The token's owner may do anything with it, its DID excepted. The machine's key pays out of it within the owner's
/// policy, by `pay`, or by ERC-1271 on a token that knows ERC-3009. Rules: docs/protocol/identity.md.
abstract contract MachinePurse is
    IERC1271,
    IERC6551Account,
    IERC6551Executable,
    EIP712,
    ERC721Holder,
    ERC1155Holder,
    SpendingPolicy,
    DidPublisher
{
    using Authorizations for Authorization;
    using SafeERC20 for IERC20;

    bytes32 private constant PAYMENT_TYPEHASH = keccak256(
        "Payment(address asset,address to,uint256 amount,bytes32 salt,uint256 deadline,bytes32 tenure)"
    );
    bytes32 private constant BOOKING_TYPEHASH = keccak256(
        "Booking(address asset,address to,uint256 amount,bytes32 hash,uint256 day,bytes32 tenure)"
    );
    bytes32 private constant OWNER_TYPEHASH = keccak256("OwnerSignature(bytes32 hash,bytes32 tenure)");
    /// @dev First byte of a signature by ERC-1271.
    bytes1 private constant BY_OWNER = 0x00;
    bytes1 private constant BY_MACHINE = 0x01;
    uint8 private constant CALL = 0;

    /// @dev Changes with each action.
    uint256 internal _state;
    /// @notice Payments made and bookings, by the digest that the machine's key signed.
    mapping(bytes32 digest => bool) public isUsed;

    event Executed(address indexed to, uint256 value, bytes data);
    event Paid(address indexed asset, address indexed to, uint256 amount, bytes32 digest);
    event Booked(address indexed asset, address indexed to, uint256 amount, bytes32 hash, uint256 day);

    error NotAccountOwner(address caller, address owner);
    error OperationRefused(uint8 have, uint8 needed);
    /// @dev The DID says what the machine registry says, whoever owns the machine.
    error DidRegistryRefused();
    error MachineNotActive(uint256 machineId);
    /// @dev Not by the key that now speaks for the machine.
    error MachineSignatureInvalid(uint256 machineId, bytes32 digest);
    error OwnerSignatureInvalid(address owner, bytes32 digest);
    error PaymentUsed(bytes32 digest);
    error DeadlineExpired(uint256 deadline, uint256 blockTimestamp);
    error BookingOfOtherDay(uint256 day, uint256 today);
    error BookingMissing(bytes32 digest);
    error HashMismatch(bytes32 have, bytes32 needed);
    error SignatureKindUnknown(bytes signature);

    constructor(IEthereumDIDRegistry didRegistry_) EIP712("Liquefy MachineAccount", "1") DidPublisher(didRegistry_) {}

    /// @inheritdoc IERC6551Account
    receive() external payable {}

    // --- whose it is ----------------------------------------------------------------------------------------------------

    /// @inheritdoc IERC6551Account
    function token() public view returns (uint256 chainId, address tokenContract, uint256 tokenId) {
        return ERC6551AccountLib.token();
    }

    /// @notice Owner of the machine. Zero on another chain than the machine's, and in any copy of this contract which is not the
    /// account that the machine registry names: a machine has one account.
    function owner() public view returns (address) {
        (uint256 chainId, address registry, uint256 machineId) = token();
        if (chainId != block.chainid) return address(0);
        if (MachineRegistry(registry).machineOfAccount(address(this)) != machineId) return address(0);
        return MachineRegistry(registry).ownerOf(machineId);
    }

    /// @inheritdoc IERC6551Account
    function state() external view returns (uint256) {
        return _state;
    }

    /// @inheritdoc IERC6551Account
    function isValidSigner(address signer, bytes calldata) external view returns (bytes4) {
        address current = owner();
        return current != address(0) && signer == current ? this.isValidSigner.selector : bytes4(0);
    }

    /// @notice ERC-165: the account's interfaces, ERC-1271, and the receipt of ERC-721 and ERC-1155 tokens.
    function supportsInterface(bytes4 id) public view override returns (bool) {
        return id == type(IERC6551Account).interfaceId || id == type(IERC6551Executable).interfaceId
            || id == type(IERC1271).interfaceId || id == type(IERC165).interfaceId || super.supportsInterface(id);
    }

    // --- what its owner does --------------------------------------------------------------------------------------------

    /// @inheritdoc IERC6551Executable
    /// @dev Calls only: a delegate call could rewrite what the day has spent.
    function execute(address to, uint256 value, bytes calldata data, uint8 operation)
        external
        payable
        returns (bytes memory result)
    {
        _requireOwner();
        if (operation != CALL) revert OperationRefused(operation, CALL);
        if (to == address(didRegistry)) revert DidRegistryRefused();
        ++_state;
        emit Executed(to, value, data);
        bool done;
        (done, result) = to.call{value: value}(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
    }

    /// @notice Sets what the machine's key may spend of an asset, until the machine changes hands. Owner only.
    function setPolicy(address asset, Policy calldata policy) external {
        _requireOwner();
        ++_state;
        _setPolicy(tenure(), asset, policy);
    }

    /// @notice Stops all spending by the machine's key, or lets it go on. Owner only.
    function setPaused(bool paused) external {
        _requireOwner();
        ++_state;
        _setPaused(tenure(), paused);
    }

    // --- what the machine's key does ------------------------------------------------------------------------------------

    /// @notice The policy that is in force for an asset, what is spent of it today, and whether spending is paused.
    function policyOf(address asset) external view returns (Policy memory policy, uint256 spentToday, bool paused) {
        return _policy(tenure(), asset);
    }

    /// @notice While the machine is in the same hands: the same. Part of what the machine's key and the owner sign here.
    function tenure() public view returns (bytes32) {
        (, address registry, uint256 machineId) = token();
        return MachineRegistry(registry).tenureOf(machineId);
    }

    /// @notice Pays what the machine's key signed. Anyone may send it.
    /// @param signature by the key that speaks for the machine, as `MachineRegistry.verify` takes it, over
    /// `Payment(asset, to, amount, salt, deadline, tenure)`
    function pay(Payment calldata payment, bytes calldata signature) external {
        _requireInTime(payment.deadline);
        bytes32 current = tenure();
        bytes32 digest = hashPayment(payment);
        _spend(digest, current, payment.asset, payment.to, payment.amount, signature);
        emit Paid(payment.asset, payment.to, payment.amount, digest);
        IERC20(payment.asset).safeTransfer(payment.to, payment.amount);
    }

    /// @notice Counts a payment that a token will ask about by ERC-1271 into today; the token may move it today. Anyone may send it.
    /// @param day days since 1970 of UTC: today
    /// @param signature by the key that speaks for the machine, over `Booking(asset, to, amount, hash, day, tenure)`
    function book(Authorization calldata authorization, uint256 day, bytes calldata signature) external {
        _requireToday(day);
        bytes32 hash = authorization.hash(address(this));
        _spend(
            _hashBooking(authorization, hash, day),
            tenure(),
            authorization.asset,
            authorization.to,
            authorization.amount,
            signature
        );
        emit Booked(authorization.asset, authorization.to, authorization.amount, hash, day);
    }

    /// @notice The EIP-712 digest of a payment, as the machine's key signs it now.
    function hashPayment(Payment calldata payment) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    PAYMENT_TYPEHASH,
                    payment.asset,
                    payment.to,
                    payment.amount,
                    payment.salt,
                    payment.deadline,
                    tenure()
                )
            )
        );
    }

    /// @notice The EIP-712 digest of a booking, as the machine's key signs it now.
    function hashBooking(Authorization calldata authorization, uint256 day) external view returns (bytes32) {
        return _hashBooking(authorization, authorization.hash(address(this)), day);
    }

    /// @notice The EIP-712 digest of what the owner signs for a hash, as of now.
    function hashOwnerSignature(bytes32 hash) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(OWNER_TYPEHASH, hash, tenure())));
    }

    // --- signatures of the account --------------------------------------------------------------------------------------

    /// @inheritdoc IERC1271
    /// @dev `0x00 || the owner's signature over OwnerSignature(hash, tenure)`, good for anything, or
    /// `0x01 || abi.encode(Authorization, uint256 day, bytes signature)`, good for that payment on that day once it is booked, or
    /// another kind that the account knows.
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        try this.requireSignature(hash, signature) {
            return IERC1271.isValidSignature.selector;
        } catch {
            return 0xffffffff;
        }
    }

    /// @notice Why `isValidSignature` refuses: the error, ABI-encoded. Empty if it does not.
    function explainSignature(bytes32 hash, bytes calldata signature) external view returns (bytes memory refusal) {
        try this.requireSignature(hash, signature) {
            return "";
        } catch (bytes memory reason) {
            return reason;
        }
    }

    /// @notice Reverts with what is wrong with a signature by ERC-1271.
    function requireSignature(bytes32 hash, bytes calldata signature) external view {
        bytes1 kind = signature.length == 0 ? bytes1(0xff) : signature[0];
        if (kind == BY_OWNER) return _requireOwnerSignature(hash, signature[1:]);
        if (kind != BY_MACHINE) return _requireOtherSignature(hash, kind, signature);
        (Authorization memory authorization, uint256 day, bytes memory proof) =
            abi.decode(signature[1:], (Authorization, uint256, bytes));
        _requireBooked(hash, authorization, day, proof);
    }

    // --- the DID --------------------------------------------------------------------------------------------------------

    /// @notice Has the machine's DID name the key that speaks for the machine now, and no other; ends it when the machine is
    /// decommissioned. Anyone may call it. Answers false if there was nothing to do.
    function publishKey() external returns (bool changed) {
        if (owner() == address(0)) revert NotAccountOwner(msg.sender, address(0));
        (, address registry, uint256 machineId) = token();
        changed = _publishKey(MachineRegistry(registry), machineId);
        if (changed) ++_state;
    }

    // --- inside ---------------------------------------------------------------------------------------------------------

    /// @dev Reverts unless a signature of a further kind is good for `hash`.
    function _requireOtherSignature(bytes32 hash, bytes1 kind, bytes calldata signature) internal view virtual;

    /// @dev Counts what the machine's key signed into today, once, if every line of the policy lets it.
    function _spend(
        bytes32 digest,
        bytes32 current,
        address asset,
        address to,
        uint256 amount,
        bytes calldata signature
    ) internal {
        if (isUsed[digest]) revert PaymentUsed(digest);
        _requireMachine(digest, signature);
        _requireLines(current, asset, to, amount);
        _countToday(current, asset, amount);
        isUsed[digest] = true;
        ++_state;
    }

    function _requireBooked(bytes32 hash, Authorization memory authorization, uint256 day, bytes memory proof)
        private
        view
    {
        bytes32 needed = authorization.hash(address(this));
        if (hash != needed) revert HashMismatch(hash, needed);
        bytes32 digest = _hashBooking(authorization, hash, day);
        _requireMachine(digest, proof);
        bytes32 current = tenure();
        _requireLines(current, authorization.asset, authorization.to, authorization.amount);
        _requireToday(day);
        if (!isUsed[digest]) {
            _requireDay(current, authorization.asset, authorization.amount);
            revert BookingMissing(digest);
        }
        _requireDay(current, authorization.asset, 0);
    }

    function _hashBooking(Authorization memory a, bytes32 hash, uint256 day) private view returns (bytes32) {
        return
            _hashTypedDataV4(
                keccak256(abi.encode(BOOKING_TYPEHASH, a.asset, a.to, a.amount, hash, day, tenure()))
            );
    }

    function _requireToday(uint256 day) private view {
        if (day != _today()) revert BookingOfOtherDay(day, _today());
    }

    function _requireInTime(uint256 deadline) internal view {
        if (block.timestamp > deadline) revert DeadlineExpired(deadline, block.timestamp);
    }

    function _requireMachine(bytes32 digest, bytes memory signature) internal view {
        (, address registry, uint256 machineId) = token();
        if (owner() == address(0)) revert NotAccountOwner(msg.sender, address(0));
        if (!MachineRegistry(registry).isActive(machineId)) revert MachineNotActive(machineId);
        if (!MachineRegistry(registry).verify(machineId, digest, signature)) {
            revert MachineSignatureInvalid(machineId, digest);
        }
    }

    function _requireOwnerSignature(bytes32 hash, bytes calldata signature) private view {
        address current = owner();
        bytes32 digest = hashOwnerSignature(hash);
        if (current == address(0) || !SignatureChecker.isValidSignatureNowCalldata(current, digest, signature)) {
            revert OwnerSignatureInvalid(current, digest);
        }
    }

    function _requireOwner() internal view {
        address current = owner();
        if (current == address(0) || msg.sender != current) revert NotAccountOwner(msg.sender, current);
    }
}
