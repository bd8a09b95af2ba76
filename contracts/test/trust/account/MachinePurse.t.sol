// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IERC6551Account} from "erc6551/interfaces/IERC6551Account.sol";
import {IERC6551Executable} from "erc6551/interfaces/IERC6551Executable.sol";
import {MachineAccount} from "../../../src/transact/account/MachineAccount.sol";
import {MachinePurse} from "../../../src/trust/account/MachinePurse.sol";
import {MachineRegistry} from "../../../src/trust/MachineRegistry.sol";
import {AccountFixture} from "../../support/AccountFixture.sol";

/// @notice Whose the account is, what its owner does, and that it never comes to own itself.
contract MachinePurseTest is AccountFixture {
    function setUp() public {
        deployAccounts();
    }

    function test_StandsWhereTheRegistrySaysAndBelongsToTheMachinesOwner() public view {
        assertEq(address(purse), registry.accountOf(machineId), "address");
        assertEq(registry.machineOfAccount(address(purse)), machineId, "machineOfAccount");
        (uint256 chainId, address tokenContract, uint256 tokenId) = purse.token();
        assertEq(chainId, HOME_CHAIN, "chain");
        assertEq(tokenContract, address(registry), "registry");
        assertEq(tokenId, machineId, "machine");
        assertEq(purse.owner(), owner, "owner");
        assertTrue(purse.isValidSigner(owner, "") == IERC6551Account.isValidSigner.selector, "owner signs");
        assertTrue(purse.isValidSigner(stranger, "") == bytes4(0), "a stranger does not");
        assertTrue(IERC6551Account.isValidSigner.selector == bytes4(0x523e3260), "magic value of ERC-6551");
    }

    function test_SupportsTheInterfacesThatItHas() public view {
        assertTrue(purse.supportsInterface(0x6faff5f1), "IERC6551Account");
        assertTrue(purse.supportsInterface(0x51945447), "IERC6551Executable");
        assertTrue(purse.supportsInterface(0x01ffc9a7), "ERC-165");
        assertTrue(purse.supportsInterface(0x1626ba7e), "ERC-1271");
        assertTrue(!purse.supportsInterface(0xffffffff), "nothing");
    }

    function test_OwnerExecutesAndEachActionChangesTheState() public {
        uint256 before = purse.state();
        vm.prank(owner);
        purse.execute(address(euro), 0, abi.encodeCall(euro.transfer, (stranger, 5e6)), 0);
        assertEq(euro.balanceOf(stranger), 5e6, "moved");
        uint256 executed = purse.state();
        assertTrue(executed != before, "execute changes the state");
        vm.prank(owner);
        purse.setPaused(true);
        assertTrue(purse.state() != executed, "setPaused changes the state");
        vm.prank(owner);
        purse.setPaused(false);
        uint256 beforePay = purse.state();
        paySigned(paymentOf(1e6, "a"));
        assertTrue(purse.state() != beforePay, "pay changes the state");
        uint256 beforeBook = purse.state();
        bookSigned(authorizationOf(1e6, "a"), TODAY);
        assertTrue(purse.state() != beforeBook, "book changes the state");
        uint256 beforeKey = purse.state();
        purse.publishKey();
        assertTrue(purse.state() != beforeKey, "publishKey changes the state");
    }

    function test_CallsReturnWhatTheyReturnAndRevertWithTheirReason() public {
        vm.startPrank(owner);
        bytes memory result =
            purse.execute(address(euro), 0, abi.encodeCall(euro.balanceOf, (address(purse))), 0);
        assertEq(abi.decode(result, (uint256)), 1_000e6, "answer");
        vm.expectPartialRevert(bytes4(keccak256("ERC20InsufficientBalance(address,uint256,uint256)")));
        purse.execute(address(euro), 0, abi.encodeCall(euro.transfer, (stranger, 2_000e6)), 0);
        vm.stopPrank();
    }

    function test_NobodyElseExecutesOrSetsThePolicy() public {
        vm.startPrank(stranger);
        bytes memory refusal = abi.encodeWithSelector(MachinePurse.NotAccountOwner.selector, stranger, owner);
        vm.expectRevert(refusal);
        purse.execute(address(euro), 0, "", 0);
        vm.expectRevert(refusal);
        purse.setPolicy(address(euro), usualPolicy());
        vm.expectRevert(refusal);
        purse.setPaused(true);
        vm.stopPrank();
    }

    function test_OnlyPlainCalls(uint8 operation) public {
        operation = uint8(bound(operation, 1, 255));
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(MachinePurse.OperationRefused.selector, operation, 0));
        purse.execute(address(euro), 0, "", operation);
    }

    function test_NotEvenTheOwnerBendsTheDid() public {
        vm.prank(owner);
        vm.expectPartialRevert(MachinePurse.DidRegistryRefused.selector);
        purse.execute(
            address(didRegistry),
            0,
            abi.encodeWithSignature("changeOwner(address,address)", address(purse), owner),
            0
        );
    }

    function test_ASaleHandsOverTheAccount() public {
        vm.prank(owner);
        registry.transferFrom(owner, stranger, machineId);
        assertEq(purse.owner(), stranger, "the buyer");
        vm.prank(owner);
        vm.expectPartialRevert(MachinePurse.NotAccountOwner.selector);
        purse.execute(address(euro), 0, "", 0);
    }

    // --- one account a machine ------------------------------------------------------------------------------------------

    function test_AnotherAccountOfTheSameMachineIsNobodys() public {
        MachineAccount other = MachineAccount(
            payable(registry6551.createAccount(
                    implementation, bytes32(uint256(1)), block.chainid, address(registry), machineId
                ))
        );
        assertEq(other.owner(), address(0), "owner");
        vm.prank(owner);
        vm.expectPartialRevert(MachinePurse.NotAccountOwner.selector);
        other.execute(address(euro), 0, "", 0);
        vm.expectPartialRevert(MachinePurse.NotAccountOwner.selector);
        other.publishKey();
    }

    function test_OnAnotherChainItIsNobodys() public {
        vm.chainId(4242);
        assertEq(purse.owner(), address(0), "owner");
        vm.prank(owner);
        vm.expectPartialRevert(MachinePurse.NotAccountOwner.selector);
        purse.execute(address(euro), 0, "", 0);
        vm.chainId(HOME_CHAIN);
    }

    function test_TheBareImplementationDoesNothing() public {
        MachineAccount bare = MachineAccount(payable(implementation));
        vm.prank(owner);
        vm.expectRevert();
        bare.execute(address(euro), 0, "", 0);
        vm.expectRevert();
        bare.publishKey();
    }

    // --- no machine owns itself -----------------------------------------------------------------------------------------

    function test_TheAccountNeverOwnsItsMachine() public {
        vm.startPrank(owner);
        vm.expectRevert(
            abi.encodeWithSelector(MachineRegistry.OwnershipCycle.selector, machineId, address(purse))
        );
        registry.transferFrom(owner, address(purse), machineId);
        vm.expectPartialRevert(MachineRegistry.OwnershipCycle.selector);
        registry.safeTransferFrom(owner, address(purse), machineId);
        vm.stopPrank();
    }

    function test_NotBeforeTheAccountIsCreatedEither() public {
        uint256 second = activeMachine(registry, owner, 12);
        address place = registry.accountOf(second);
        assertEq(place.code.length, 0, "not created");
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(MachineRegistry.OwnershipCycle.selector, second, place));
        registry.transferFrom(owner, place, second);
    }

    function test_NotThroughAChainOfAccounts() public {
        uint256 second = activeMachine(registry, owner, 12);
        uint256 third = activeMachine(registry, owner, 13);
        vm.startPrank(owner);
        registry.transferFrom(owner, registry.accountOf(machineId), second);
        registry.transferFrom(owner, registry.accountOf(second), third);
        address lowest = registry.accountOf(third);
        vm.expectPartialRevert(MachineRegistry.OwnershipCycle.selector);
        registry.transferFrom(owner, lowest, machineId);
        vm.stopPrank();
    }

    function test_NotThroughAMachineThatIsRegisteredLater() public {
        // The address of a later machine's account is known before it is registered.
        uint256 later = registry.machineCount() + 1;
        address place = registry.accountOf(later);
        vm.prank(owner);
        registry.transferFrom(owner, place, machineId);
        address own = registry.accountOf(machineId);
        vm.expectPartialRevert(MachineRegistry.OwnershipCycle.selector);
        this.register(own, 12);
    }

    function register(address to, uint256 secret) external {
        activeMachine(registry, to, secret);
    }

    function test_AChainOfAccountsIsBounded() public {
        uint256 most = registry.MAX_OWNERSHIP_DEPTH();
        uint256 upper = machineId;
        for (uint256 i = 0; i < most; ++i) {
            uint256 lower = activeMachine(registry, owner, 20 + i);
            address to = registry.accountOf(upper);
            vm.prank(owner);
            registry.transferFrom(owner, to, lower);
            registry.tenureOf(lower);
            upper = lower;
        }
        uint256 last = activeMachine(registry, owner, 50);
        address place = registry.accountOf(upper);
        vm.prank(owner);
        vm.expectPartialRevert(MachineRegistry.OwnershipTooDeep.selector);
        registry.transferFrom(owner, place, last);
    }

    function test_TheOwnerOfTheUpperMachineActsThroughBothAccounts() public {
        uint256 second = activeMachine(registry, owner, 12);
        MachineAccount lower = createAccount(second);
        vm.startPrank(owner);
        registry.transferFrom(owner, address(purse), second);
        assertEq(lower.owner(), address(purse), "the machine owns a part");
        purse.execute(
            address(registry),
            0,
            abi.encodeCall(IERC721.transferFrom, (address(purse), stranger, second)),
            0
        );
        vm.stopPrank();
        assertEq(registry.ownerOf(second), stranger, "sold by its machine");
    }

    function test_TenureNeverComesBack(uint8 moves) public {
        bytes32[] memory seen = new bytes32[](8);
        address[2] memory hands = [owner, stranger];
        uint256 count = bound(moves, 1, 8);
        for (uint256 i = 0; i < count; ++i) {
            seen[i] = registry.tenureOf(machineId);
            for (uint256 j = 0; j < i; ++j) {
                assertTrue(seen[i] != seen[j], "a new one");
            }
            vm.prank(hands[i % 2]);
            registry.transferFrom(hands[i % 2], hands[(i + 1) % 2], machineId);
        }
    }

    function test_TenureOfAPartEndsWithASaleOfTheMachineThatOwnsIt() public {
        uint256 part = activeMachine(registry, owner, 12);
        vm.startPrank(owner);
        registry.transferFrom(owner, address(purse), part);
        bytes32 before = registry.tenureOf(part);
        registry.transferFrom(owner, stranger, machineId);
        vm.stopPrank();
        assertTrue(registry.tenureOf(part) != before, "sold with it");
    }

    // --- the owner's signature ------------------------------------------------------------------------------------------

    function ownerSignature(bytes32 hash) private view returns (bytes memory) {
        return bytes.concat(hex"00", signAccount(OWNER_SECRET, purse.hashOwnerSignature(hash)));
    }

    function test_TheOwnersSignatureIsGoodForAnything(bytes32 hash) public view {
        assertTrue(purse.isValidSignature(hash, ownerSignature(hash)) == IERC1271.isValidSignature.selector, "good");
        assertEq(purse.explainSignature(hash, ownerSignature(hash)).length, 0, "nothing to explain");
    }

    function test_TheOwnersPlainSignatureIsNot(bytes32 hash) public view {
        bytes memory plain = bytes.concat(hex"00", signAccount(OWNER_SECRET, hash));
        assertTrue(purse.isValidSignature(hash, plain) == bytes4(0xffffffff), "not bound to this account");
    }

    function test_TheOwnersSignatureIsForOneAccount() public {
        MachineAccount second = createAccount(activeMachine(registry, owner, 12));
        bytes32 hash = keccak256("anything");
        assertTrue(second.isValidSignature(hash, ownerSignature(hash)) == bytes4(0xffffffff), "another account");
    }

    function test_TheOwnersSignatureEndsWithHisTenure() public {
        bytes32 hash = keccak256("anything");
        bytes memory signature = ownerSignature(hash);
        vm.prank(owner);
        registry.transferFrom(owner, stranger, machineId);
        assertTrue(purse.isValidSignature(hash, signature) == bytes4(0xffffffff), "sold");
        vm.prank(stranger);
        registry.transferFrom(stranger, owner, machineId);
        assertTrue(purse.isValidSignature(hash, signature) == bytes4(0xffffffff), "bought back");
    }

    function test_MalformedSignaturesAreRefusedAndNeverRevert(bytes32 hash, bytes calldata signature) public view {
        assertTrue(purse.isValidSignature(hash, signature) == bytes4(0xffffffff), "refused");
        assertTrue(purse.isValidSignature(hash, bytes.concat(hex"00", signature)) == bytes4(0xffffffff), "owner's");
        assertTrue(purse.isValidSignature(hash, bytes.concat(hex"01", signature)) == bytes4(0xffffffff), "machine's");
    }

    function test_TakesCoinAndTokens() public {
        (bool done,) = address(purse).call{value: 1 ether}("");
        assertTrue(done, "coin");
        assertTrue(
            purse.onERC721Received(owner, owner, 1, "") == IERC721Receiver.onERC721Received.selector, "ERC-721"
        );
        vm.prank(owner);
        purse.execute(stranger, 1 ether, "", 0);
        assertEq(stranger.balance, 1 ether, "coin out");
    }
}
