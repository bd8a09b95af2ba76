// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClearingHouse} from "../../src/transact/ClearingHouse.sol";
import {ITermsRefusals} from "../../src/transact/TermsRules.sol";
import {TariffCall} from "../../src/transact/TariffCall.sol";
import {MeterValue, SkipReason, Terms} from "../../src/transact/Terms.sol";
import {Fixture} from "../support/Fixture.sol";
import {
    GasBurner,
    HugeOwed,
    NonMonotone,
    RefusingTariff,
    ReturnBomb,
    RevertBomb,
    Reverting,
    Silent,
    Writing
} from "./Tariffs.sol";

contract HostileTariffsTest is Fixture {
    function setUp() public {
        deployWorld();
    }

    function openWith(address tariff, bytes32 salt) private returns (bytes32 id) {
        Terms memory t = siloTerms(salt);
        t.tariff = tariff;
        t.meters[0].stream = string(abi.encodePacked(salt));
        id = openFunded(t, 10_000);
    }

    /// @dev One of each bad item around two good ones: the good ones pay.
    function test_ATK_ABadItemBlocksNoOther() public {
        bytes32 good = openFunded(siloTerms("good"), 10_000);
        bytes32[7] memory bad = [
            openWith(address(new GasBurner()), "burner"),
            openWith(address(new ReturnBomb()), "bomb"),
            openWith(address(new RevertBomb()), "revert bomb"),
            openWith(address(new Reverting()), "reverting"),
            openWith(address(new Silent()), "silent"),
            openWith(address(new Writing()), "writing"),
            openWith(address(new HugeOwed()), "huge")
        ];
        vm.warp(start + 3600);
        MeterValue[] memory values = new MeterValue[](16);
        bytes[] memory signatures = new bytes[](16);
        for (uint256 i = 0; i < 7; ++i) {
            values[i + 1] = valueOf(bad[i], 0, start + 60, 10);
        }
        values[0] = valueOf(good, 0, start + 60, 100);
        values[8] = valueOf("nobody's", 0, start + 60, 10);
        values[9] = valueOf(good, 30, start + 60, 10);
        values[10] = valueOf(good, 1, start + 60, 10);
        values[11] = valueOf(good, 0, start + 3601, 10);
        values[12] = valueOf(good, 0, start + 60, 10);
        values[12].registers = new uint256[](0);
        values[13] = valueOf(good, 0, start + 60, 2_000_000);
        values[14] = valueOf(good, 0, start + 60, 10);
        values[15] = valueOf(good, 0, start + 120, 250);
        for (uint256 i = 0; i < 16; ++i) {
            signatures[i] = i == 14 ? bytes("not a signature") : signValue(values[i]);
        }
        for (uint256 i = 0; i < 7; ++i) {
            expectSkip(bad[i], 0, i == 6 ? SkipReason.AMOUNT_TOO_LARGE : SkipReason.TARIFF_FAILED);
        }
        expectSkip("nobody's", 0, SkipReason.NOT_OPEN);
        expectSkip(good, 30, SkipReason.PERIOD_UNKNOWN);
        expectSkip(good, 1, SkipReason.AS_OF_OUTSIDE_PERIOD);
        expectSkip(good, 0, SkipReason.AS_OF_IN_FUTURE);
        expectSkip(good, 0, SkipReason.REGISTER_COUNT);
        expectSkip(good, 0, SkipReason.RATE_BOUND);
        expectSkip(good, 0, SkipReason.SIGNATURE_INVALID);
        house.settle(values, signatures);
        assertEq(paidOf(good, 0), 250, "the good ones pay");
        for (uint256 i = 0; i < 7; ++i) {
            assertEq(house.escrowOf(bad[i]), 10_000, "the bad ones do not");
        }
    }

    function test_ATariffBurnsNoMoreThanItsCap() public {
        bytes32 id = openWith(address(new GasBurner()), "burner");
        MeterValue memory value = valueOf(id, 0, start, 10);
        bytes memory signature = signValue(value);
        uint256 before = gasleft();
        settleOne(value, signature);
        uint256 used = before - gasleft();
        assertTrue(used < TariffCall.GAS + 60_000, "gas");
        assertTrue(used > TariffCall.GAS, "the tariff did burn");
    }

    /// @dev A relayer cannot make a good tariff look like a failing one by starving it: for every gas limit the item either
    /// pays or the whole batch reverts.
    function testFuzz_StarvedBatchRevertsAndNeverSkips(uint256 gasLimit) public {
        bytes32 id = openFunded(siloTerms("good"), 10_000);
        MeterValue[] memory values = new MeterValue[](1);
        bytes[] memory signatures = new bytes[](1);
        values[0] = valueOf(id, 0, start, 10);
        signatures[0] = signValue(values[0]);
        gasLimit = bound(gasLimit, 20_000, 260_000);
        (bool ok,) = address(house).call{gas: gasLimit}(abi.encodeCall(house.settle, (values, signatures)));
        assertEq(paidOf(id, 0), ok ? 10 : 0, "paid or reverted");
    }

    function test_NonMonotoneTariffNeverTakesBack() public {
        bytes32 id = openWith(address(new NonMonotone()), "falling");
        settleSigned(valueOf(id, 0, start, 100));
        assertEq(paidOf(id, 0), 900, "first");
        settleSigned(valueOf(id, 0, start, 500));
        assertEq(paidOf(id, 0), 900, "paid never falls");
        assertEq(provenOf(id, 0), 900, "nor does what is proven");
        settleSigned(valueOf(id, 0, start, 0));
        assertEq(paidOf(id, 0), 1000, "rises");
    }

    function test_RefusingOrAbsentTariffOpensNothing() public {
        address[2] memory tariffs = [address(new RefusingTariff()), address(euro)];
        for (uint256 i = 0; i < 2; ++i) {
            Terms memory t = siloTerms("a");
            t.tariff = tariffs[i];
            bytes32 id = house.hashTerms(t);
            bytes memory payerAuth = signAccount(PAYER_SECRET, id);
            bytes memory payeeAuth = signAccount(PAYEE_SECRET, id);
            vm.expectPartialRevert(ITermsRefusals.TariffRefused.selector);
            house.open(t, payerAuth, payeeAuth);
        }
    }
}
