// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MachineRegistry} from "../../src/trust/MachineRegistry.sol";
import {ClearingHouse} from "../../src/transact/ClearingHouse.sol";
import {Settlement} from "../../src/transact/Settlement.sol";
import {TestEuro} from "../../src/transact/TestEuro.sol";
import {LinearTariff} from "../../src/transact/tariffs/LinearTariff.sol";
import {Limit, Meter, MeterValue, SIGNER_MACHINE, SkipReason, Terms} from "../../src/transact/Terms.sol";
import {Signing} from "./Signing.sol";
import {Deploy} from "./Deploy.sol";

/// @notice A world with one machine of the payee, and the terms of one silo in it.
abstract contract Fixture is Signing {
    uint256 internal constant MACHINE_SECRET = 11;
    uint256 internal constant PAYER_SECRET = 0xA11CE;
    uint256 internal constant PAYEE_SECRET = 0xB0B;
    uint32 internal constant DAY = 86_400;

    MachineRegistry internal registry;
    ClearingHouse internal house;
    TestEuro internal euro;
    LinearTariff internal linear;
    address internal payer = vm.addr(PAYER_SECRET);
    address internal payee = vm.addr(PAYEE_SECRET);
    uint256 internal machineId;
    uint64 internal start;

    function deployWorld() internal {
        registry = Deploy.machineRegistry(
            address(Deploy.p256Sha256Verifier()), address(Deploy.p256RawVerifier()), account("account code")
        );
        house = Deploy.clearingHouse(registry);
        euro = Deploy.testEuro();
        linear = Deploy.linearTariff();
        machineId = activeMachine(registry, payee, MACHINE_SECRET);
        start = uint64(T0);
    }

    /// @notice One register, 1 smallest unit each, within 1,000,000 + 1,000,000 an hour; cap 50,000,000; 30 days.
    function siloTerms(bytes32 salt) internal view returns (Terms memory t) {
        t.payer = payer;
        t.payee = payee;
        t.asset = address(euro);
        t.machineId = machineId;
        t.meters = new Meter[](1);
        t.meters[0] = Meter("level", keccak256("drawdown"), 0);
        t.signerKind = SIGNER_MACHINE;
        t.signer = bytes32(machineId);
        t.tariff = address(linear);
        t.tariffData = linearData(1, 1, 0);
        t.limits = new Limit[](1);
        t.limits[0] = Limit(1_000_000, 1_000_000);
        t.capMinor = 50_000_000;
        t.start = start;
        t.periodSeconds = DAY;
        t.periods = 30;
        t.backfillSeconds = 3 * DAY;
        t.lateSeconds = 7200;
        t.gapTimeoutSeconds = 3600;
        t.settleSeconds = 7 * DAY;
        t.openBy = start + DAY;
        t.salt = salt;
    }

    /// @notice The same for another stream of the machine.
    function otherTerms(bytes32 salt, string memory stream) internal view returns (Terms memory t) {
        t = siloTerms(salt);
        t.meters[0].stream = stream;
    }

    function refuse(Terms memory t, bytes4 reason) internal {
        bytes32 id = house.hashTerms(t);
        bytes memory payerAuth = signAccount(PAYER_SECRET, id);
        bytes memory payeeAuth = signAccount(PAYEE_SECRET, id);
        vm.expectPartialRevert(reason);
        house.open(t, payerAuth, payeeAuth);
    }

    function linearData(uint256 count, uint256 price, uint8 scale) internal pure returns (bytes memory) {
        uint256[] memory prices = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            prices[i] = price;
        }
        return abi.encode(prices, scale);
    }

    /// @notice Opened by a stranger with both signatures.
    function openSigned(Terms memory t) internal returns (bytes32 id) {
        id = house.hashTerms(t);
        house.open(t, signAccount(PAYER_SECRET, id), signAccount(PAYEE_SECRET, id));
    }

    function fundEuro(bytes32 id, uint256 amount) internal {
        euro.mint(payer, amount);
        vm.startPrank(payer);
        euro.approve(address(house), amount);
        house.fund(id, amount);
        vm.stopPrank();
    }

    function openFunded(Terms memory t, uint256 amount) internal returns (bytes32 id) {
        id = openSigned(t);
        fundEuro(id, amount);
    }

    function valueOf(bytes32 id, uint32 period, uint256 asOf, uint256 register)
        internal
        pure
        returns (MeterValue memory value)
    {
        value.agreementId = id;
        value.period = period;
        value.asOf = uint64(asOf);
        value.registers = new uint256[](1);
        value.registers[0] = register;
        value.evidenceHead = keccak256(abi.encode(id, period, asOf, register));
    }

    function valueDigest(MeterValue memory v) internal view returns (bytes32) {
        return typedDigest("Liquefy ClearingHouse", address(house), valueStructHash(v));
    }

    function signValue(MeterValue memory v) internal view returns (bytes memory) {
        return signP256Sha256(MACHINE_SECRET, valueDigest(v));
    }

    function settleOne(MeterValue memory value, bytes memory signature) internal {
        MeterValue[] memory values = new MeterValue[](1);
        bytes[] memory signatures = new bytes[](1);
        values[0] = value;
        signatures[0] = signature;
        house.settle(values, signatures);
    }

    function settleSigned(MeterValue memory value) internal {
        settleOne(value, signValue(value));
    }

    function expectSkip(bytes32 id, uint32 period, SkipReason reason) internal {
        vm.expectEmit(true, true, true, true, address(house));
        emit Settlement.Skipped(id, period, uint8(reason));
    }

    function paidOf(bytes32 id, uint32 period) internal view returns (uint256 paid) {
        (paid,) = house.periodOf(id, period);
    }

    function provenOf(bytes32 id, uint32 period) internal view returns (uint256 proven) {
        (, proven) = house.periodOf(id, period);
    }

    function oneId(bytes32 id) internal pure returns (bytes32[] memory ids) {
        ids = new bytes32[](1);
        ids[0] = id;
    }

    function onePeriod(uint32 period) internal pure returns (uint32[] memory periods) {
        periods = new uint32[](1);
        periods[0] = period;
    }
}
