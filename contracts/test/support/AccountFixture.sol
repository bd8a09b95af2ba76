// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC6551Registry} from "erc6551/ERC6551Registry.sol";
import {ClearingHouse} from "../../src/transact/ClearingHouse.sol";
import {MachineAccount} from "../../src/transact/account/MachineAccount.sol";
import {AccountAddress} from "../../src/trust/account/AccountAddress.sol";
import {Authorization, Authorizations} from "../../src/trust/account/Authorization.sol";
import {IEthereumDIDRegistry} from "../../src/trust/account/DidPublisher.sol";
import {Payment} from "../../src/trust/account/MachinePurse.sol";
import {Policy} from "../../src/trust/account/SpendingPolicy.sol";
import {MachineRegistry} from "../../src/trust/MachineRegistry.sol";
import {AskingToken} from "./AskingToken.sol";
import {Signing} from "./Signing.sol";
import {Deploy} from "./Deploy.sol";

/// @notice A machine whose account has a thousand euros, and an owner who lets its key spend some of them.
abstract contract AccountFixture is Signing {
    using Authorizations for Authorization;

    uint256 internal constant MACHINE_SECRET = 11;
    uint256 internal constant OWNER_SECRET = 0xB0B;
    uint128 internal constant PER_PAYMENT = 30e6;
    uint128 internal constant PER_DAY = 100e6;
    uint64 internal constant EXPIRY = uint64(T0) + 30 days;
    uint256 internal constant TODAY = T0 / 1 days;

    /// @dev As its package has it: unmodified, and not exported as source.
    string private constant DID_REGISTRY =
        "../node_modules/ethr-did-registry/artifacts/contracts/EthereumDIDRegistry.sol/EthereumDIDRegistry.json";

    ERC6551Registry internal constant registry6551 = ERC6551Registry(AccountAddress.ERC6551_REGISTRY);

    MachineRegistry internal registry;
    ClearingHouse internal house;
    IEthereumDIDRegistry internal didRegistry;
    address internal implementation;
    AskingToken internal euro;
    address internal owner = vm.addr(OWNER_SECRET);
    address internal charger = account("charger");
    address internal stranger = account("stranger");
    uint256 internal machineId;
    MachineAccount internal purse;

    function deployAccounts() internal {
        vm.etch(AccountAddress.ERC6551_REGISTRY, address(new ERC6551Registry()).code);
        didRegistry = IEthereumDIDRegistry(create(vm.parseJsonBytes(vm.readFile(DID_REGISTRY), ".bytecode")));
        // The account knows the house, which knows the registry, which knows the account: so the house's address comes first.
        address later = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 4);
        implementation = address(Deploy.machineAccount(didRegistry, ClearingHouse(later)));
        address sha = address(Deploy.p256Sha256Verifier());
        registry = Deploy.machineRegistry(sha, address(Deploy.p256RawVerifier()), implementation);
        house = Deploy.clearingHouse(registry);
        assertEq(address(house), later, "the house stands where the account looks for it");
        euro = new AskingToken();
        machineId = activeMachine(registry, owner, MACHINE_SECRET);
        purse = createAccount(machineId);
        euro.mint(address(purse), 1_000e6);
        vm.prank(owner);
        purse.setPolicy(address(euro), usualPolicy());
    }

    function create(bytes memory code) private returns (address place) {
        assembly ("memory-safe") {
            place := create(0, add(code, 0x20), mload(code))
        }
        assertTrue(place != address(0), "created");
    }

    function createAccount(uint256 id) internal returns (MachineAccount) {
        return MachineAccount(
            payable(registry6551.createAccount(implementation, bytes32(0), block.chainid, address(registry), id))
        );
    }

    function usualPolicy() internal view returns (Policy memory policy) {
        policy.perPayment = PER_PAYMENT;
        policy.perDay = PER_DAY;
        policy.expiry = EXPIRY;
        policy.counterparties = new address[](1);
        policy.counterparties[0] = charger;
    }

    function paymentOf(uint256 amount, bytes32 salt) internal view returns (Payment memory) {
        return Payment(address(euro), charger, amount, salt, FAR);
    }

    function signPayment(Payment memory payment) internal view returns (bytes memory) {
        return signP256Sha256(MACHINE_SECRET, purse.hashPayment(payment));
    }

    function paySigned(Payment memory payment) internal {
        bytes memory signature = signPayment(payment);
        purse.pay(payment, signature);
    }

    function authorizationOf(uint256 amount, bytes32 nonce) internal view returns (Authorization memory) {
        return Authorization(address(euro), charger, amount, false, 0, FAR, nonce, "Test Euro (no value)", "1");
    }

    function signBooking(Authorization memory a, uint256 day) internal view returns (bytes memory) {
        return signP256Sha256(MACHINE_SECRET, purse.hashBooking(a, day));
    }

    function bookSigned(Authorization memory a, uint256 day) internal {
        bytes memory signature = signBooking(a, day);
        purse.book(a, day, signature);
    }

    /// @notice What the token is given.
    function machineSignature(Authorization memory a, uint256 day) internal view returns (bytes memory) {
        return bytes.concat(hex"01", abi.encode(a, day, signBooking(a, day)));
    }

    function moveBy(Authorization memory a, bytes memory signature) internal {
        euro.transferWithAuthorization(
            address(purse), a.to, a.amount, a.validAfter, a.validBefore, a.nonce, signature
        );
    }

    function hashOf(Authorization memory a) internal view returns (bytes32) {
        return a.hash(address(purse));
    }

    function assertRefused(Authorization memory a, uint256 day, bytes memory refusal) internal view {
        bytes memory signature = machineSignature(a, day);
        assertEq(
            keccak256(purse.explainSignature(hashOf(a), signature)), keccak256(refusal), "why the account refuses"
        );
        assertTrue(purse.isValidSignature(hashOf(a), signature) == bytes4(0xffffffff), "refused by ERC-1271");
    }
}
