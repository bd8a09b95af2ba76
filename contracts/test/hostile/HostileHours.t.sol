// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {UsageRights} from "../../src/cooperate/UsageRights.sol";
import {HoursFixture} from "../support/HoursFixture.sol";
import {RejectingReceiver} from "./Receivers.sol";
import {FalseToken, FeeToken, LyingToken, MintableToken, ReentrantToken} from "./Tokens.sol";

/// @notice Names an operator, as a vault does.
contract Operated {
    address public operator;

    constructor(address operator_) {
        operator = operator_;
    }
}

/// @notice Burns what gas it gets.
contract BurningOperator {
    function operator() external pure returns (address) {
        for (uint256 i = 0;; ++i) {}
    }
}

/// @notice Answers more than was asked.
contract BombOperator {
    fallback() external {
        assembly {
            return(0, 1000000)
        }
    }
}

contract HostileHoursTest is HoursFixture {
    function setUp() public {
        deployCalendar();
    }

    function sellIn(MintableToken token) private {
        vm.prank(owner);
        rights.offer(machineId, address(token), 100, ALL, NEXT_WEEK + 60);
        token.mint(anna, 1_000_000);
        vm.prank(anna);
        token.approve(address(rights), type(uint256).max);
    }

    function buy(uint168 bits) private {
        address asset = rights.offerOf(machineId).asset;
        vm.prank(anna);
        rights.buy(machineId, NEXT_WEEK, 1, bits, asset, type(uint256).max, anna);
    }

    function test_ATK_TokensThatDeliverOtherAmountsAreRefused() public {
        FeeToken fee = new FeeToken();
        sellIn(fee);
        vm.expectRevert(abi.encodeWithSelector(UsageRights.PaymentDiffers.selector, address(fee), 99, 100));
        this.buyOne();
        LyingToken lying = new LyingToken();
        sellIn(lying);
        vm.expectRevert(abi.encodeWithSelector(UsageRights.PaymentDiffers.selector, address(lying), 0, 100));
        this.buyOne();
        FalseToken no = new FalseToken();
        sellIn(no);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(no)));
        this.buyOne();
        assertEq(occupied(NEXT_WEEK), 0, "nothing is held");
    }

    function buyOne() external {
        buy(1);
    }

    function test_ATK_AReentrantAssetTakesNoHourTwice() public {
        ReentrantToken token = new ReentrantToken();
        sellIn(token);
        bytes[4] memory nested = [
            abi.encodeCall(rights.buy, (machineId, NEXT_WEEK, 1, 1, address(token), type(uint256).max, anna)),
            abi.encodeCall(rights.buyHours, (machineId, NEXT_WEEK, 1, 1, address(token), type(uint256).max, anna)),
            abi.encodeCall(rights.book, (1, NEXT_WEEK, 1)),
            abi.encodeCall(rights.cancel, (1, NEXT_WEEK, 1))
        ];
        for (uint256 i = 0; i < nested.length; ++i) {
            token.plan(address(rights), nested[i]);
            buy(uint168(1) << uint168(i));
            assertTrue(!token.succeeded(), "nested");
        }
        assertEq(occupied(NEXT_WEEK), 0xf, "one hour each");
        assertEq(token.balanceOf(owner), 400, "paid once each");
    }

    function test_ATK_AReceiverThatRejectsIsNotAsked() public {
        RejectingReceiver receiver = new RejectingReceiver();
        uint256 id = give(NEXT_WEEK, 1, SATURDAY, 0, address(receiver));
        assertEq(rights.ownerOf(id), address(receiver), "minted");
    }

    function test_TheOperatorOfAnOwnerThatIsAContractIssues() public {
        Operated vault = new Operated(bruno);
        vm.prank(owner);
        registry.transferFrom(owner, address(vault), machineId);
        vm.prank(bruno);
        rights.issue(machineId, NEXT_WEEK, 1, SATURDAY, 0, anna);
        vm.prank(anna);
        vm.expectRevert(abi.encodeWithSelector(UsageRights.NotIssuer.selector, machineId, anna, address(vault)));
        rights.issue(machineId, NEXT_WEEK, 1, 1, 0, anna);
    }

    function test_ATK_AnOwnerThatBurnsGasOrFloodsNamesNobody() public {
        address[2] memory hostile = [address(new BurningOperator()), address(new BombOperator())];
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(owner);
            registry.transferFrom(owner, hostile[i], machineId);
            uint256 before = gasleft();
            vm.prank(anna);
            vm.expectPartialRevert(UsageRights.NotIssuer.selector);
            rights.issue(machineId, NEXT_WEEK, 1, SATURDAY, 0, anna);
            assertTrue(before - gasleft() < 300_000, "bounded");
            vm.prank(hostile[i]);
            registry.transferFrom(hostile[i], owner, machineId);
        }
    }

    /// @dev Whoever has approved a dear token once is not made to pay in it.
    function test_ATK_TheAssetOfAnOfferIsNotChangedUnderABuyer() public {
        putOnSale();
        MintableToken dear = new MintableToken();
        sellIn(dear);
        vm.prank(anna);
        vm.expectRevert(abi.encodeWithSelector(UsageRights.AssetDiffers.selector, address(dear), address(euro)));
        rights.buy(machineId, NEXT_WEEK, 1, 1, address(euro), type(uint256).max, anna);
    }

    /// @dev Who sees a sale of a machine coming cannot hide what he issues before it: the buyer compares the number.
    function test_IssuesAreCountedForTheBuyerOfAMachine() public {
        uint256 seen = rights.calendarOf(machineId).issues;
        give(NEXT_WEEK, 53, ALL, 0, owner);
        assertEq(rights.calendarOf(machineId).issues, seen + 1, "counted");
    }
}
