// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LinearTariff} from "../../src/transact/tariffs/LinearTariff.sol";
import {Limit, Meter, MeterValue, SIGNER_MACHINE, Terms} from "../../src/transact/Terms.sol";
import {MachineAccount} from "../../src/transact/account/MachineAccount.sol";
import {Policy} from "../../src/trust/account/SpendingPolicy.sol";
import {AccountFixture} from "./AccountFixture.sol";
import {Deploy} from "./Deploy.sol";

/// @notice A truck whose account (`purse`) may pay a charger's account (`till`), and a charger that may sell, each of another owner.
abstract contract PartyFixture is AccountFixture {
    uint256 internal constant CHARGER_SECRET = 12;
    uint32 internal constant DAY = 86_400;
    uint64 internal constant SELLS_UNTIL = uint64(T0) + 60 days;

    address internal chargerOwner = account("charger's owner");
    uint256 internal chargerId;
    MachineAccount internal till;
    LinearTariff internal linear;

    function deployParties() internal {
        deployAccounts();
        linear = Deploy.linearTariff();
        chargerId = activeMachine(registry, chargerOwner, CHARGER_SECRET);
        till = createAccount(chargerId);
        vm.prank(chargerOwner);
        till.setSelling(address(euro), SELLS_UNTIL);
        vm.prank(owner);
        purse.setPolicy(address(euro), chargingPolicy());
    }

    function chargingPolicy() internal view returns (Policy memory policy) {
        policy = usualPolicy();
        policy.counterparties[0] = address(till);
    }

    /// @notice One register of the charger, 1 smallest unit each, a day long, cap 40 euros.
    function chargingTerms(bytes32 salt) internal view returns (Terms memory t) {
        t.payer = address(purse);
        t.payee = address(till);
        t.asset = address(euro);
        t.machineId = chargerId;
        t.meters = new Meter[](1);
        t.meters[0] = Meter("energy", keccak256("counter"), 0);
        t.signerKind = SIGNER_MACHINE;
        t.signer = bytes32(chargerId);
        t.tariff = address(linear);
        uint256[] memory prices = new uint256[](1);
        prices[0] = 1;
        t.tariffData = abi.encode(prices, uint8(0));
        t.limits = new Limit[](1);
        t.limits[0] = Limit(40e6, 0);
        t.capMinor = 40e6;
        t.start = uint64(T0);
        t.periodSeconds = DAY;
        t.periods = 1;
        t.openBy = uint64(FAR);
        t.salt = salt;
    }

    /// @notice The same without a meter, so that many can be open at once.
    function voucherTerms(bytes32 salt) internal view returns (Terms memory t) {
        t = chargingTerms(salt);
        t.meters = new Meter[](0);
    }

    function signOpening(bytes32 id, uint256 amount) internal view returns (bytes memory) {
        return signP256Sha256(MACHINE_SECRET, purse.hashOpening(id, amount, FAR));
    }

    function signTopUp(bytes32 id, uint256 amount, bytes32 salt) internal view returns (bytes memory) {
        return signP256Sha256(MACHINE_SECRET, purse.hashTopUp(id, amount, salt, FAR));
    }

    /// @notice What the clearing house is given as the charger's signature.
    function acceptance(Terms memory t) internal view returns (bytes memory) {
        bytes memory proof = signP256Sha256(CHARGER_SECRET, till.hashAcceptance(house.hashTerms(t)));
        return bytes.concat(hex"02", abi.encode(t, proof));
    }

    function openSigned(Terms memory t, uint256 amount) internal returns (bytes32 id) {
        id = house.hashTerms(t);
        bytes memory payeeAuth = acceptance(t);
        bytes memory signature = signOpening(id, amount);
        purse.openAgreement(t, payeeAuth, amount, FAR, signature);
    }

    function topUpSigned(bytes32 id, uint256 amount, bytes32 salt) internal {
        bytes memory signature = signTopUp(id, amount, salt);
        purse.fundAgreement(id, amount, salt, FAR, signature);
    }

    function settleCharged(bytes32 id, uint256 register) internal {
        MeterValue[] memory values = new MeterValue[](1);
        values[0] = MeterValue(id, 0, uint64(T0), new uint256[](1), "head");
        values[0].registers[0] = register;
        bytes[] memory signatures = new bytes[](1);
        bytes32 digest = typedDigest("Liquefy ClearingHouse", address(house), valueStructHash(values[0]));
        signatures[0] = signP256Sha256(CHARGER_SECRET, digest);
        house.settle(values, signatures);
    }

    function onHouse(MachineAccount through, address who, bytes memory call) internal {
        vm.prank(who);
        through.execute(address(house), 0, call, 0);
    }

    function ids(bytes32 id) internal pure returns (bytes32[] memory list) {
        list = new bytes32[](1);
        list[0] = id;
    }
}
