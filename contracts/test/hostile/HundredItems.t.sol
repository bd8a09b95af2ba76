// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Settlement} from "../../src/transact/Settlement.sol";
import {TariffCall} from "../../src/transact/TariffCall.sol";
import {MeterValue, SIGNER_MACHINE, SIGNER_QUORUM, SkipReason, Terms} from "../../src/transact/Terms.sol";
import {Fixture} from "../support/Fixture.sol";
import {Log} from "../support/Test.sol";
import {GasBurner, HugeOwed, ReturnBomb, RevertBomb} from "./Tariffs.sol";

/// @notice Must show 3: a batch of 100 with one of each kind of bad item.
contract HundredItemsTest is Fixture {
    uint256 private constant BATCH = 100;
    uint256 private constant BAD = 13;

    uint256 private _sleeping;
    MeterValue[] private _values;
    uint8[] private _reasons;

    function setUp() public {
        deployWorld();
        _sleeping = activeMachine(registry, payee, 12);
    }

    function opened(bytes32 salt, address tariff) private returns (bytes32) {
        Terms memory t = siloTerms(salt);
        t.shared = true;
        t.tariff = tariff;
        return openFunded(t, 1000);
    }

    function bad(MeterValue memory value, SkipReason reason) private {
        _values.push(value);
        _reasons.push(uint8(reason));
    }

    /// @dev One item for each reason that does not depend on who signs, and each hostile tariff.
    function addBad() private {
        address tariff = address(linear);
        bad(valueOf("nobody's", 0, start, 10), SkipReason.NOT_OPEN);
        bad(valueOf(opened("b1", tariff), 30, start, 10), SkipReason.PERIOD_UNKNOWN);
        bad(valueOf(opened("b2", tariff), 1, start, 10), SkipReason.AS_OF_OUTSIDE_PERIOD);
        bad(valueOf(opened("b3", tariff), 0, start + 3601, 10), SkipReason.AS_OF_IN_FUTURE);
        MeterValue memory value = valueOf(opened("b4", tariff), 0, start, 10);
        value.registers = new uint256[](2);
        bad(value, SkipReason.REGISTER_COUNT);
        bad(valueOf(opened("b5", tariff), 0, start, 2_000_000), SkipReason.RATE_BOUND);
        bad(valueOf(opened("b6", address(new GasBurner())), 0, start, 10), SkipReason.TARIFF_FAILED);
        bad(valueOf(opened("b7", address(new ReturnBomb())), 0, start, 10), SkipReason.TARIFF_FAILED);
        bad(valueOf(opened("b8", address(new RevertBomb())), 0, start, 10), SkipReason.TARIFF_FAILED);
        bad(valueOf(opened("b9", address(new HugeOwed())), 0, start, 10), SkipReason.AMOUNT_TOO_LARGE);
    }

    function openedBy(bytes32 salt, uint8 kind, bytes32 signer) private returns (bytes32) {
        Terms memory t = siloTerms(salt);
        t.shared = true;
        t.signerKind = kind;
        t.signer = signer;
        return openFunded(t, 1000);
    }

    function addGood() private {
        for (uint256 i = 0; _values.length < BATCH; ++i) {
            _values.push(valueOf(opened(bytes32(1000 + i), address(linear)), 0, start, 100 + i));
        }
    }

    /// @dev Bad items stand between good ones.
    function shuffled() private view returns (MeterValue[] memory values, uint256[] memory from) {
        values = new MeterValue[](BATCH);
        from = new uint256[](BATCH);
        for (uint256 i = 0; i < BATCH; ++i) {
            from[i] = (i * 37) % BATCH;
            values[i] = _values[from[i]];
        }
    }

    function check(uint256 badCount) private {
        uint256 skipped = 0;
        uint256 settled = 0;
        Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == Settlement.Settled.selector) settled += 1;
            if (logs[i].topics[0] != Settlement.Skipped.selector) continue;
            (, uint8 reason) = abi.decode(logs[i].data, (uint32, uint8));
            for (uint256 j = 0; j < badCount; ++j) {
                if (_values[j].agreementId != logs[i].topics[1]) continue;
                assertEq(reason, _reasons[j], "reason");
                skipped += 1;
            }
        }
        assertEq(skipped, badCount, "each bad item has its reason in an event");
        assertEq(settled, BATCH - badCount, "each good one is settled");
        for (uint256 i = 0; i < BATCH; ++i) {
            assertEq(
                paidOf(_values[i].agreementId, 0), i < badCount ? 0 : _values[i].registers[0], "paid"
            );
        }
    }

    function test_OneOfEachKindOfBadItemCostsOnlyItself() public {
        addBad();
        bytes32 id = openedBy("sleeping", SIGNER_MACHINE, bytes32(_sleeping));
        bad(valueOf(id, 0, start, 10), SkipReason.SIGNER_NOT_ACTIVE);
        bad(valueOf(openedBy("quorum", SIGNER_QUORUM, "k of n"), 0, start, 10), SkipReason.SIGNATURE_INVALID);
        bad(valueOf(opened("forged", address(linear)), 0, start, 10), SkipReason.SIGNATURE_INVALID);
        addGood();
        vm.prank(payee);
        registry.suspend(_sleeping);
        vm.warp(start + 3600);
        (MeterValue[] memory values, uint256[] memory from) = shuffled();
        bytes[] memory signatures = new bytes[](BATCH);
        for (uint256 i = 0; i < BATCH; ++i) {
            signatures[i] = signP256Sha256(from[i] == BAD - 1 ? 99 : MACHINE_SECRET, valueDigest(values[i]));
        }
        vm.recordLogs();
        uint256 before = gasleft();
        house.settle(values, signatures);
        assertTrue(before - gasleft() < 3 * TariffCall.GAS + BATCH * 100_000, "gas");
        check(BAD);
    }

    function test_OneOfEachKindUnderOneAttestor() public {
        addBad();
        bytes32 id = openedBy("another", SIGNER_MACHINE, bytes32(_sleeping));
        bad(valueOf(id, 0, start, 10), SkipReason.SIGNER_DIFFERS);
        uint256 badCount = _values.length;
        addGood();
        vm.warp(start + 3600);
        (MeterValue[] memory values,) = shuffled();
        bytes memory signature = signP256Sha256(MACHINE_SECRET, valuesDigest(address(house), values));
        vm.recordLogs();
        house.settleAttested(values, SIGNER_MACHINE, bytes32(machineId), signature);
        check(badCount);
    }
}
