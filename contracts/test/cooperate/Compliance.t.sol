// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AllowLists} from "../../src/cooperate/AllowLists.sol";
import {IIdentityRegistry} from "../../src/cooperate/IdentityCompliance.sol";
import {VaultSetup} from "../../src/cooperate/VaultSetup.sol";
import {VaultShares} from "../../src/cooperate/VaultShares.sol";
import {AnyVault} from "../support/AnyVault.sol";
import {Deploy} from "../support/Deploy.sol";
import {VaultFixture} from "../support/VaultFixture.sol";

/// @notice What is called of ERC-3643's reference implementation.
interface ITRex {
    function init() external;
    function init(address issuers, address topics, address store) external;
    function bindIdentityRegistry(address identityRegistry) external;
    function addAgent(address agent) external;
    function addClaimTopic(uint256 topic) external;
    function addTrustedIssuer(address issuer, uint256[] calldata topics) external;
    function registerIdentity(address account, address identity, uint16 country) external;
    function deleteIdentity(address account) external;
    function addClaim(
        uint256 topic,
        uint256 scheme,
        address issuer,
        bytes calldata signature,
        bytes calldata data,
        string calldata uri
    ) external returns (bytes32);
    function revokeClaimBySignature(bytes calldata signature) external;
}

/// @notice Who may hold shares.
contract ComplianceTest is VaultFixture {
    uint256 private constant ISSUER_SECRET = 0x1550E4;
    uint256 private constant KNOW_YOUR_CUSTOMER = 1;
    uint256 private constant ECDSA_SCHEME = 1;

    function setUp() public {
        deployVaults();
    }

    function refuseTransfer(address from, address to, uint256 shares) private {
        vm.prank(from);
        vm.expectRevert(abi.encodeWithSelector(VaultShares.TransferNotCompliant.selector, from, to, shares));
        vault.transfer(to, shares);
    }

    function test_WithoutAHookEverybodyMay() public {
        found(plainSetup());
        give(anna, 10);
        assertEq(vault.balanceOf(anna), 10, "anna");
    }

    // --- allow-lists --------------------------------------------------------------------------------------------------

    function listOf(address one) private pure returns (address[] memory list) {
        list = new address[](1);
        list[0] = one;
    }

    function test_TheOperatorKeepsTheListAndTheSenderMayAlwaysSell() public {
        AllowLists lists = Deploy.allowLists();
        VaultSetup memory setup = saleSetup();
        setup.compliance = address(lists);
        found(setup);
        provide(anna, 40_000);
        vm.prank(anna);
        vm.expectRevert(abi.encodeWithSelector(VaultShares.TransferNotCompliant.selector, address(0), anna, 40));
        vault.buyShares(40, anna); // the sale asks, too
        vm.prank(founder);
        vm.expectRevert(
            abi.encodeWithSelector(AllowLists.NotVaultOperator.selector, address(vault), founder, operator)
        );
        lists.setAllowed(address(vault), listOf(anna), true);
        vm.prank(operator);
        lists.setAllowed(address(vault), listOf(anna), true);
        vm.prank(anna);
        vault.buyShares(40, anna);
        refuseTransfer(anna, ben, 1);
        vm.startPrank(operator);
        lists.setAllowed(address(vault), listOf(ben), true);
        lists.setAllowed(address(vault), listOf(anna), false);
        vm.stopPrank();
        vm.prank(anna);
        vault.transfer(ben, 1);
        refuseTransfer(ben, anna, 1);
        earn(5000);
        nextBlock();
        assertEq(vault.claim(anna), 3900, "off the list, her income is hers");
    }

    function test_AListIsOfOneVault() public {
        AllowLists lists = Deploy.allowLists();
        VaultSetup memory setup = plainSetup();
        setup.compliance = address(lists);
        found(setup);
        vm.prank(operator);
        lists.setAllowed(address(vault), listOf(anna), true);
        give(anna, 10);
        setup.machineIds = new uint256[](0);
        found(setup);
        refuseTransfer(founder, anna, 10);
    }

    // --- ERC-3643 -----------------------------------------------------------------------------------------------------

    ITRex private topics;
    ITRex private issuers;
    ITRex private identities;
    ITRex private issuer;

    /// @dev The registry asks for one claim, by one issuer.
    function deployTRex() private {
        string memory folder = "contracts/registry/implementation/";
        topics = ITRex(Deploy.tRex(string.concat(folder, "ClaimTopicsRegistry.sol/ClaimTopicsRegistry.json"), ""));
        issuers = ITRex(Deploy.tRex(string.concat(folder, "TrustedIssuersRegistry.sol/TrustedIssuersRegistry.json"), ""));
        ITRex store =
            ITRex(Deploy.tRex(string.concat(folder, "IdentityRegistryStorage.sol/IdentityRegistryStorage.json"), ""));
        identities = ITRex(Deploy.tRex(string.concat(folder, "IdentityRegistry.sol/IdentityRegistry.json"), ""));
        topics.init();
        issuers.init();
        store.init();
        identities.init(address(issuers), address(topics), address(store));
        store.bindIdentityRegistry(address(identities));
        identities.addAgent(address(this));
        issuer = ITRex(
            Deploy.tRex("@onchain-id/solidity/contracts/ClaimIssuer.sol/ClaimIssuer.json", abi.encode(vm.addr(ISSUER_SECRET)))
        );
        uint256[] memory asked = new uint256[](1);
        asked[0] = KNOW_YOUR_CUSTOMER;
        topics.addClaimTopic(KNOW_YOUR_CUSTOMER);
        issuers.addTrustedIssuer(address(issuer), asked);
    }

    /// @dev An identity of `owner` with the issuer's claim.
    function identify(address owner) private returns (bytes memory signature) {
        ITRex identity = ITRex(
            Deploy.tRex("@onchain-id/solidity/contracts/Identity.sol/Identity.json", abi.encode(owner, false))
        );
        identities.registerIdentity(owner, address(identity), 276);
        bytes memory data = "known";
        bytes32 claim = keccak256(abi.encode(address(identity), KNOW_YOUR_CUSTOMER, data));
        signature =
            signAccount(ISSUER_SECRET, keccak256(abi.encodePacked("\x19Ethereum Signed Message:\n32", claim)));
        vm.prank(owner);
        identity.addClaim(KNOW_YOUR_CUSTOMER, ECDSA_SCHEME, address(issuer), signature, data, "");
    }

    function test_Erc3643OnlyVerifiedIdentitiesReceiveShares() public {
        deployTRex();
        VaultSetup memory setup = plainSetup();
        setup.compliance = address(Deploy.identityCompliance(IIdentityRegistry(address(identities))));
        found(setup);
        refuseTransfer(founder, anna, 10); // no identity
        bytes memory annas = identify(anna);
        give(anna, 10);
        refuseTransfer(anna, ben, 5);
        identify(ben);
        vm.prank(anna);
        vault.transfer(ben, 5);
        vm.prank(vm.addr(ISSUER_SECRET));
        issuer.revokeClaimBySignature(annas);
        refuseTransfer(ben, anna, 5); // her claim is revoked
        identities.deleteIdentity(ben);
        refuseTransfer(anna, ben, 5); // his identity is gone
        identify(carla);
        vm.prank(anna);
        vault.transfer(carla, 5); // she may still sell to one who is verified
        earn(100);
        nextBlock();
        assertEq(vault.claim(ben), 5, "income needs no claim");
    }

    function test_OwnersVoteAnotherHook() public {
        deployTRex();
        found(plainSetup());
        address hook = address(Deploy.identityCompliance(IIdentityRegistry(address(identities))));
        asTimelock(abi.encodeCall(AnyVault.setCompliance, (hook)));
        refuseTransfer(founder, anna, 10);
        asTimelock(abi.encodeCall(AnyVault.setCompliance, (address(0))));
        give(anna, 10);
    }
}
