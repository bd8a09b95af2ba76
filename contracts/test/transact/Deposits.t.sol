// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {Accounts} from "../../src/transact/Accounts.sol";
import {ClearingHouse} from "../../src/transact/ClearingHouse.sol";
import {Deposits} from "../../src/transact/Deposits.sol";
import {Funding, Status} from "../../src/transact/Terms.sol";
import {ContractWallet} from "../support/ContractWallet.sol";
import {Fixture} from "../support/Fixture.sol";
import {Deploy} from "../support/Deploy.sol";

contract DepositsTest is Fixture {
    address private relayer = account("relayer");
    bytes32 private id;

    function setUp() public {
        deployWorld();
        id = openSigned(siloTerms("a"));
        euro.mint(payer, 10_000);
    }

    function fundingOf(uint256 amount) private view returns (Funding memory) {
        return Funding(id, payer, amount, "salt", FAR);
    }

    function approve() private {
        vm.prank(payer);
        euro.approve(address(house), type(uint256).max);
    }

    function permitOf(uint256 amount) private view returns (bytes memory) {
        bytes32 digest = permitDigest(address(euro), payer, address(house), amount, euro.nonces(payer));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYER_SECRET, digest);
        return abi.encode(FAR, v, r, s);
    }

    // --- fundSigned -----------------------------------------------------------------------------------------------

    function test_AnyoneRelaysASignedFundingOnce() public {
        approve();
        Funding memory funding = fundingOf(700);
        bytes memory auth = signAccount(PAYER_SECRET, fundingDigest(address(house), funding));
        vm.expectEmit(true, true, true, true, address(house));
        emit Deposits.Funded(id, payer, 700, 700);
        vm.prank(relayer);
        house.fundSigned(funding, auth, "");
        assertEq(house.escrowOf(id), 700, "escrow");
        bytes32 digest = fundingDigest(address(house), funding);
        vm.expectRevert(abi.encodeWithSelector(Deposits.FundingUsed.selector, digest));
        house.fundSigned(funding, auth, "");
        funding.salt = "another";
        house.fundSigned(funding, signAccount(PAYER_SECRET, fundingDigest(address(house), funding)), "");
        assertEq(house.escrowOf(id), 1400, "escrow");
    }

    function test_ThePayerHimselfNeedsNoSignature() public {
        approve();
        vm.prank(payer);
        house.fundSigned(fundingOf(700), "", "");
        assertEq(house.escrowOf(id), 700, "escrow");
    }

    function test_AContractFundsByErc1271() public {
        ContractWallet wallet = new ContractWallet(payer);
        euro.mint(address(wallet), 900);
        vm.prank(address(wallet));
        euro.approve(address(house), 900);
        Funding memory funding = Funding(id, address(wallet), 900, "salt", FAR);
        house.fundSigned(funding, signAccount(PAYER_SECRET, fundingDigest(address(house), funding)), "");
        assertEq(house.escrowOf(id), 900, "escrow");
    }

    function test_FundsByPermitAlsoIfSomebodySpentThePermitFirst() public {
        Funding memory funding = fundingOf(700);
        bytes memory auth = signAccount(PAYER_SECRET, fundingDigest(address(house), funding));
        house.fundSigned(funding, auth, permitOf(700));
        assertEq(house.escrowOf(id), 700, "escrow");

        funding.salt = "second";
        auth = signAccount(PAYER_SECRET, fundingDigest(address(house), funding));
        bytes memory permit = permitOf(700);
        (uint256 deadline, uint8 v, bytes32 r, bytes32 s) = abi.decode(permit, (uint256, uint8, bytes32, bytes32));
        vm.prank(relayer);
        euro.permit(payer, address(house), 700, deadline, v, r, s);
        house.fundSigned(funding, auth, permit);
        assertEq(house.escrowOf(id), 1400, "escrow");
        // without an allowance a permit that is none moves nothing
        funding.salt = "third";
        auth = signAccount(PAYER_SECRET, fundingDigest(address(house), funding));
        vm.expectPartialRevert(IERC20Errors.ERC20InsufficientAllowance.selector);
        house.fundSigned(funding, auth, permit);
    }

    function test_INV08_AFundingCountsForItsWordsHouseChainAndTime() public {
        approve();
        Funding memory funding = fundingOf(700);
        bytes memory auth = signAccount(PAYER_SECRET, fundingDigest(address(house), funding));
        bytes memory byAnother = signAccount(PAYEE_SECRET, fundingDigest(address(house), funding));
        vm.expectPartialRevert(Deposits.FundingNotAuthorized.selector);
        house.fundSigned(funding, byAnother, "");
        vm.expectPartialRevert(Deposits.FundingNotAuthorized.selector);
        house.fundSigned(Funding(id, payer, 701, "salt", FAR), auth, "");
        ClearingHouse another = Deploy.clearingHouse(registry);
        vm.expectPartialRevert(Deposits.FundingNotAuthorized.selector);
        another.fundSigned(funding, auth, "");
        vm.chainId(HOME_CHAIN + 1);
        vm.expectPartialRevert(Deposits.FundingNotAuthorized.selector);
        house.fundSigned(funding, auth, "");
        vm.chainId(HOME_CHAIN);
        vm.warp(FAR + 1);
        vm.expectRevert(abi.encodeWithSelector(Deposits.FundingExpired.selector, FAR, FAR + 1));
        house.fundSigned(funding, auth, "");
    }

    // --- fundWithAuthorization ------------------------------------------------------------------------------------

    function authorize(bytes32 nonce, uint256 amount) private view returns (uint8 v, bytes32 r, bytes32 s) {
        return vm.sign(PAYER_SECRET, authorizationDigest(address(euro), payer, address(house), amount, nonce));
    }

    function test_AnErc3009AuthorizationFundsItsAgreementAndNoOther() public {
        bytes32 nonce = keccak256(abi.encode(id, bytes32("salt")));
        (uint8 v, bytes32 r, bytes32 s) = authorize(nonce, 800);
        bytes32 other = openOther();
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        house.fundWithAuthorization(other, payer, 800, 0, FAR, "salt", v, r, s);
        vm.prank(relayer);
        vm.expectPartialRevert(IERC20Errors.ERC20InvalidReceiver.selector);
        euro.receiveWithAuthorization(payer, address(house), 800, 0, FAR, nonce, v, r, s);
        vm.expectEmit(true, true, true, true, address(house));
        emit Deposits.Funded(id, payer, 800, 800);
        vm.prank(relayer);
        house.fundWithAuthorization(id, payer, 800, 0, FAR, "salt", v, r, s);
        assertTrue(euro.authorizationState(payer, nonce), "used");
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, payer, nonce));
        house.fundWithAuthorization(id, payer, 800, 0, FAR, "salt", v, r, s);
    }

    function openOther() private returns (bytes32) {
        return openSigned(otherTerms("other", "energy"));
    }

    function test_ACancelledAuthorizationFundsNothing() public {
        bytes32 nonce = keccak256(abi.encode(id, bytes32("salt")));
        bytes32 structHash =
            keccak256(abi.encode(keccak256("CancelAuthorization(address authorizer,bytes32 nonce)"), payer, nonce));
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(PAYER_SECRET, typedDigest("Test Euro (no value)", address(euro), structHash));
        euro.cancelAuthorization(payer, nonce, v, r, s);
        (v, r, s) = authorize(nonce, 800);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, payer, nonce));
        house.fundWithAuthorization(id, payer, 800, 0, FAR, "salt", v, r, s);
    }

    function test_NothingFundsAClosedAgreement() public {
        approve();
        vm.prank(payee);
        house.close(id);
        bytes memory refusal = abi.encodeWithSelector(Accounts.AgreementNotOpen.selector, id, Status.Closed);
        vm.prank(payer);
        vm.expectRevert(refusal);
        house.fundSigned(fundingOf(1), "", "");
        (uint8 v, bytes32 r, bytes32 s) = authorize(keccak256(abi.encode(id, bytes32("salt"))), 800);
        vm.expectRevert(refusal);
        house.fundWithAuthorization(id, payer, 800, 0, FAR, "salt", v, r, s);
    }
}
