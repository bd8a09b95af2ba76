// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {Deposits} from "../../src/transact/Deposits.sol";
import {Terms} from "../../src/transact/Terms.sol";
import {MachineAccount} from "../../src/transact/account/MachineAccount.sol";
import {Policy} from "../../src/trust/account/SpendingPolicy.sol";
import {PartyFixture} from "../support/PartyFixture.sol";
import {FeeToken, LyingToken, MintableToken, ReentrantToken} from "./Tokens.sol";

/// @notice A payee that calls back into the payer's account when it is asked whether it agrees.
contract AskedPayee is IERC1271 {
    MachineAccount private immutable _purse;
    address private immutable _asset;

    constructor(MachineAccount purse, address asset) {
        (_purse, _asset) = (purse, asset);
    }

    function isValidSignature(bytes32, bytes calldata signature) external view returns (bytes4) {
        // A view can change nothing, and is asked after the amount was counted.
        (, uint256 spent,) = _purse.policyOf(_asset);
        return spent == abi.decode(signature, (uint256)) ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}

/// @notice Tokens and payees that cheat or call back, against accounts that are parties.
contract PartyTokensTest is PartyFixture {
    function setUp() public {
        deployParties();
    }

    function termsIn(MintableToken token, bytes32 salt) private returns (Terms memory t) {
        token.mint(address(purse), 1_000e6);
        vm.prank(owner);
        purse.setPolicy(address(token), chargingPolicy());
        vm.prank(chargerOwner);
        till.setSelling(address(token), SELLS_UNTIL);
        t = voucherTerms(salt);
        t.asset = address(token);
    }

    function test_ATokenThatTakesAFeeOpensNothing() public {
        refuse(termsIn(new FeeToken(), "a"));
    }

    function test_ATokenThatMovesNothingOpensNothing() public {
        refuse(termsIn(new LyingToken(), "a"));
    }

    function refuse(Terms memory t) private {
        bytes32 id = house.hashTerms(t);
        bytes memory payeeAuth = acceptance(t);
        bytes memory signature = signOpening(id, 10e6);
        vm.expectPartialRevert(Deposits.AmountReceivedDiffers.selector);
        purse.openAgreement(t, payeeAuth, 10e6, FAR, signature);
        (, uint256 spent,) = purse.policyOf(t.asset);
        assertEq(spent, 0, "a refusal counts nothing");
    }

    function test_ATokenThatCallsBackOpensNoSecondAgreementMeanwhile() public {
        ReentrantToken token = new ReentrantToken();
        Terms memory t = termsIn(token, "a");
        Terms memory second = voucherTerms("b");
        second.asset = address(token);
        bytes32 secondId = house.hashTerms(second);
        bytes memory secondAuth = acceptance(second);
        bytes memory secondSignature = signOpening(secondId, 20e6);
        token.plan(
            address(purse),
            abi.encodeCall(purse.openAgreement, (second, secondAuth, 20e6, FAR, secondSignature))
        );
        bytes32 id = openSigned(t, 20e6);
        assertTrue(!token.succeeded(), "kept out while the house takes money");
        assertEq(house.escrowOf(id), 20e6, "once");
        (, uint256 spent,) = purse.policyOf(address(token));
        assertEq(spent, 20e6, "counted once");
    }

    function test_ATokenThatCallsBackPaysWithinTheSameDaysLimit() public {
        ReentrantToken token = new ReentrantToken();
        Terms memory t = termsIn(token, "a");
        Policy memory policy = chargingPolicy();
        policy.perDay = 30e6;
        vm.prank(owner);
        purse.setPolicy(address(token), policy);
        bytes32 id = house.hashTerms(t);
        bytes memory payeeAuth = acceptance(t);
        bytes memory opening = signOpening(id, 20e6);
        openSigned(voucherTerms("other"), 0);
        bytes32 open = openTokenAgreement(token);
        bytes memory topUp = signTopUp(open, 20e6, "a");
        token.plan(address(purse), abi.encodeCall(purse.fundAgreement, (open, 20e6, "a", FAR, topUp)));
        purse.openAgreement(t, payeeAuth, 20e6, FAR, opening);
        assertTrue(!token.succeeded(), "over the day's limit");
        assertEq(token.balanceOf(address(house)), 20e6, "no more left than the day lets");
    }

    function openTokenAgreement(MintableToken token) private returns (bytes32 id) {
        Terms memory t = voucherTerms("open");
        t.asset = address(token);
        return openSigned(t, 0);
    }

    function test_ReclaimBringsNothingTwiceToATokenThatCallsBack() public {
        ReentrantToken token = new ReentrantToken();
        Terms memory t = termsIn(token, "a");
        bytes32 id = openSigned(t, 20e6);
        onHouse(till, chargerOwner, abi.encodeCall(house.close, (id)));
        token.plan(address(purse), abi.encodeCall(purse.reclaim, (address(token))));
        assertEq(purse.reclaim(address(token)), 20e6, "once");
        assertEq(token.balanceOf(address(purse)), 1_000e6, "all of it");
        assertEq(token.balanceOf(address(house)), 0, "and no more");
    }

    function test_APayeeIsAskedAfterTheAmountWasCounted() public {
        AskedPayee payee = new AskedPayee(purse, address(euro));
        Policy memory policy = chargingPolicy();
        policy.counterparties[0] = address(payee);
        vm.prank(owner);
        purse.setPolicy(address(euro), policy);
        Terms memory t = voucherTerms("a");
        t.payee = address(payee);
        bytes32 id = house.hashTerms(t);
        bytes memory signature = signOpening(id, 20e6);
        purse.openAgreement(t, abi.encode(uint256(20e6)), 20e6, FAR, signature);
        assertEq(house.escrowOf(id), 20e6, "opened");
    }
}
