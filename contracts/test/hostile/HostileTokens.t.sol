// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ClearingHouse} from "../../src/transact/ClearingHouse.sol";
import {Deposits} from "../../src/transact/Deposits.sol";
import {Accounts} from "../../src/transact/Accounts.sol";
import {Terms} from "../../src/transact/Terms.sol";
import {Fixture} from "../support/Fixture.sol";
import {RejectingReceiver, ReenteringReceiver} from "./Receivers.sol";
import {FalseToken, FeeToken, LyingToken, MintableToken, RebasingToken, ReentrantToken} from "./Tokens.sol";

contract HostileTokensTest is Fixture {
    function setUp() public {
        deployWorld();
    }

    function openIn(MintableToken token) private returns (bytes32 id) {
        Terms memory t = siloTerms(bytes32(bytes20(address(token))));
        t.asset = address(token);
        t.shared = true;
        id = openSigned(t);
        token.mint(payer, 1_000_000);
        vm.prank(payer);
        token.approve(address(house), type(uint256).max);
    }

    function test_ATK_FeeOnTransferRefused() public {
        FeeToken token = new FeeToken();
        bytes32 id = openIn(token);
        vm.prank(payer);
        vm.expectRevert(
            abi.encodeWithSelector(Deposits.AmountReceivedDiffers.selector, address(token), 99, 100)
        );
        house.fund(id, 100);
    }

    function test_TokenThatReturnsFalseOrLiesRefused() public {
        FalseToken no = new FalseToken();
        bytes32 id = openIn(no);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(no)));
        house.fund(id, 100);

        LyingToken lying = new LyingToken();
        id = openIn(lying);
        vm.prank(payer);
        vm.expectRevert(
            abi.encodeWithSelector(Deposits.AmountReceivedDiffers.selector, address(lying), 0, 100)
        );
        house.fund(id, 100);
    }

    /// @dev The calls that move tokens do not nest; the others may and find true state.
    function test_ATK_ReentrantTokenGainsNothing() public {
        ReentrantToken token = new ReentrantToken();
        bytes32 id = openIn(token);
        vm.prank(payer);
        house.fund(id, 10_000);
        settleSigned(valueOf(id, 0, start, 400));
        house.credit(oneId(id));

        bytes[3] memory refused = [
            abi.encodeCall(house.fund, (id, 1)),
            abi.encodeCall(house.withdraw, (address(token), 0, payee)),
            abi.encodeCall(house.withdraw, (address(token), 400, payee))
        ];
        for (uint256 i = 0; i < refused.length; ++i) {
            token.plan(address(house), refused[i]);
            vm.prank(payer);
            house.fund(id, 10);
            assertTrue(!token.succeeded(), "nested in fund");
            token.plan(address(house), refused[i]);
            vm.prank(payee);
            house.withdraw(address(token), 100, payee);
            assertTrue(!token.succeeded(), "nested in withdraw");
        }
        token.plan(address(house), abi.encodeCall(house.credit, (oneId(id))));
        vm.prank(payer);
        house.fund(id, 10);
        assertTrue(token.succeeded(), "credit nests");

        assertEq(token.balanceOf(payee), 300, "withdrawn");
        assertEq(house.escrowOf(id), 9_640, "escrow");
        assertEq(token.balanceOf(address(house)), 9_740, "covers escrow and balance");
    }

    /// @dev If the token closes the agreement in the middle of its own funding, nothing is lost: the funding reverts.
    function test_ATK_ClosingWhileFundingReverts() public {
        ReentrantToken token = new ReentrantToken();
        bytes32 id = openIn(token);
        vm.prank(payee);
        house.transferFrom(payee, address(token), uint256(id));
        token.plan(address(house), abi.encodeCall(house.close, (id)));
        vm.prank(payer);
        vm.expectPartialRevert(Accounts.AgreementNotOpen.selector);
        house.fund(id, 100);
    }

    function test_ATK_RebasingTokenHarmsOnlyItsUsers() public {
        RebasingToken token = new RebasingToken();
        bytes32 odd = openIn(token);
        vm.prank(payer);
        house.fund(odd, 1000);
        Terms memory t = siloTerms("good");
        t.shared = true;
        bytes32 good = openFunded(t, 1000);
        token.shrink(address(house), 600);
        settleSigned(valueOf(odd, 0, start, 500));
        settleSigned(valueOf(good, 0, start, 500));
        house.credit(oneId(odd));
        house.credit(oneId(good));
        vm.startPrank(payee);
        vm.expectRevert();
        house.withdraw(address(token), 500, payee);
        house.withdraw(address(token), 400, payee);
        house.withdraw(address(euro), 500, payee);
        vm.stopPrank();
        assertEq(euro.balanceOf(payee), 500, "euro untouched");
    }

    // --- receivers ------------------------------------------------------------------------------------------------

    /// @dev A contract that takes no token can be a payee: the position is minted without asking, income is pulled.
    function test_ARejectingReceiverBlocksNobody() public {
        Terms memory t = siloTerms("a");
        bytes32 id = openFunded(t, 10_000);
        settleSigned(valueOf(id, 0, start, 100));
        RejectingReceiver receiver = new RejectingReceiver();
        vm.prank(payee);
        vm.expectRevert();
        house.safeTransferFrom(payee, address(receiver), uint256(id));
        assertEq(house.accruedOf(id), 100, "undone with the transfer");
        vm.prank(payee);
        house.transferFrom(payee, address(receiver), uint256(id));
        settleSigned(valueOf(id, 0, start, 300));
        house.credit(oneId(id));
        assertEq(house.balanceOfAsset(payee, address(euro)), 100, "seller");
        assertEq(house.balanceOfAsset(address(receiver), address(euro)), 200, "receiver");
    }

    function test_ATK_AReenteringReceiverTakesOnlyItsOwn() public {
        bytes32 id = openFunded(siloTerms("a"), 10_000);
        settleSigned(valueOf(id, 0, start, 100));
        ReenteringReceiver receiver = new ReenteringReceiver(house, address(euro));
        vm.prank(payee);
        house.safeTransferFrom(payee, address(receiver), uint256(id));
        assertEq(house.balanceOfAsset(payee, address(euro)), 100, "seller");
        assertEq(house.balanceOfAsset(address(receiver), address(euro)), 0, "receiver");
        assertEq(house.ownerOf(uint256(id)), address(receiver), "position");
        // as the owner it may close, and did; the refund is the payer's
        assertEq(house.balanceOfAsset(payer, address(euro)), 9_900, "payer");
    }
}
