// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EvidenceAnchor} from "../../src/trust/EvidenceAnchor.sol";
import {Key} from "../../src/trust/Key.sol";
import {
    Adjustment,
    Funding,
    Limit,
    Meter,
    MeterValue,
    SIGNER_ACCOUNT,
    SIGNER_MACHINE,
    SIGNER_QUORUM,
    Terms
} from "../../src/transact/Terms.sol";
import {StreamHead} from "../../src/trust/MachineRegistry.sol";
import {Fixture} from "../support/Fixture.sol";
import {MerkleTree} from "../support/MerkleTree.sol";
import {Deploy} from "../support/Deploy.sol";

/// @notice What a transaction costs, base cost and calldata included. Run under the profile `gas`, where each call is one.
contract GasTest is Fixture {
    uint256 private constant BATCH = 100;

    function setUp() public {
        deployWorld();
    }

    function twoRegisters(uint256 machine, bytes32 salt) private view returns (Terms memory t) {
        t = siloTerms(salt);
        t.machineId = machine;
        t.signer = bytes32(machine);
        t.meters = new Meter[](2);
        t.meters[0] = Meter("level", keccak256("drawdown"), 0);
        t.meters[1] = Meter("energy", keccak256("counter"), 0);
        t.limits = new Limit[](2);
        t.limits[0] = Limit(1_000_000, 1_000_000);
        t.limits[1] = Limit(1_000_000, 1_000_000);
        t.tariffData = linearData(2, 25, 1);
    }

    function test_RegisterOpenFund() public {
        Key memory key = p256Key(12, registry.p256Sha256Verifier());
        bytes memory proof = signP256Sha256(12, registerDigest(registry, payee, key, FAR));
        registry.register(payee, key, FAR, proof);
        vm.snapshotGasLastCall("gas", "register (P-256)");

        Terms memory t = twoRegisters(machineId, "a");
        bytes32 id = house.hashTerms(t);
        bytes memory payerAuth = signAccount(PAYER_SECRET, id);
        bytes memory payeeAuth = signAccount(PAYEE_SECRET, id);
        house.open(t, payerAuth, payeeAuth);
        vm.snapshotGasLastCall("gas", "open (two meters, both signatures)");

        euro.mint(payer, 2_000_000);
        vm.prank(payer);
        euro.approve(address(house), 2_000_000);
        vm.prank(payer);
        house.fund(id, 1_000_000);
        vm.snapshotGasLastCall("gas", "fund (first)");
        vm.prank(payer);
        house.fund(id, 1_000_000);
        vm.snapshotGasLastCall("gas", "fund (top-up)");
        fundBySignature(id);
    }

    function fundBySignature(bytes32 id) private {
        euro.mint(payer, 20_000);
        vm.prank(payer);
        euro.approve(address(house), 10_000);
        Funding memory funding = Funding(id, payer, 10_000, "salt", FAR);
        bytes memory auth = signAccount(PAYER_SECRET, fundingDigest(address(house), funding));
        house.fundSigned(funding, auth, "");
        vm.snapshotGasLastCall("gas", "fundSigned (top-up, approved before)");
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
                ),
                payer,
                address(house),
                uint256(10_000),
                uint256(0),
                FAR,
                keccak256(abi.encode(id, bytes32("salt")))
            )
        );
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(PAYER_SECRET, typedDigest("Test Euro (no value)", address(euro), structHash));
        house.fundWithAuthorization(id, payer, 10_000, 0, FAR, "salt", v, r, s);
        vm.snapshotGasLastCall("gas", "fundWithAuthorization (top-up)");
    }

    function test_LifeOfAMachine() public {
        Key memory key = p256Key(12, registry.p256Sha256Verifier());
        bytes memory proof = signP256Sha256(12, registerDigest(registry, payee, key, FAR));
        uint256 machine = registry.register(payee, key, FAR, proof);
        proof = signP256Sha256(MACHINE_SECRET, controlledDigest(registry, payee, machineId, "salt"));
        registry.registerControlled(payee, machineId, "salt", FAR, proof);
        vm.snapshotGasLastCall("gas", "registerControlled");
        vm.prank(payee);
        registry.activate(machine);
        vm.snapshotGasLastCall("gas", "activate");
        vm.prank(payee);
        registry.suspend(machine);
        vm.snapshotGasLastCall("gas", "suspend");
        vm.prank(payee);
        registry.resume(machine);
        vm.snapshotGasLastCall("gas", "resume");
        vm.prank(payee);
        registry.suspendWithReason(machine, "sensor 2 shows nonsense");
        vm.snapshotGasLastCall("gas", "suspendWithReason");
        vm.prank(payee);
        registry.resume(machine);
        key = p256Key(13, registry.p256Sha256Verifier());
        StreamHead[] memory heads = new StreamHead[](1);
        heads[0] = StreamHead("level", 7, "digest");
        bytes32 digest = rotateDigest(registry, machine, key, heads, 1);
        registry.rotate(machine, key, heads, FAR, signP256Sha256(12, digest), signP256Sha256(13, digest));
        vm.snapshotGasLastCall("gas", "rotate (one stream)");
        vm.prank(payee);
        registry.revoke(machine);
        vm.snapshotGasLastCall("gas", "revoke");
        key = p256Key(14, registry.p256Sha256Verifier());
        proof = signP256Sha256(14, rekeyDigest(registry, machine, key, 2));
        vm.prank(payee);
        registry.rekey(machine, key, FAR, proof);
        vm.snapshotGasLastCall("gas", "rekey");
        vm.prank(payee);
        registry.transferFrom(payee, payer, machine);
        vm.snapshotGasLastCall("gas", "transfer of a machine");
        vm.prank(payer);
        registry.decommission(machine);
        vm.snapshotGasLastCall("gas", "decommission");
    }

    /// @dev One hundred machines, each with its own P-256 key, its own agreement and two registers.
    function test_SettleHundredOwnKeys() public {
        bytes32[] memory ids = new bytes32[](BATCH);
        for (uint256 i = 0; i < BATCH; ++i) {
            uint256 machine = activeMachine(registry, payee, 1000 + i);
            ids[i] = openFunded(twoRegisters(machine, bytes32(i)), 1_000_000);
        }
        vm.warp(start + 5000);
        uint256[3] memory used;
        for (uint256 round = 0; round < 3; ++round) {
            MeterValue[] memory values = valuesFor(ids, round);
            bytes[] memory signatures = new bytes[](values.length);
            for (uint256 i = 0; i < values.length; ++i) {
                signatures[i] = signP256Sha256(1000 + (i % BATCH), valueDigest(values[i]));
            }
            house.settle(values, signatures);
            used[round] = vm.snapshotGasLastCall("gas", string.concat("settle, own P-256 keys: ", batchName(round)));
            checkPaid(values);
        }
        snapshotItems("settle, own P-256 keys", used);
        assertTrue(used[1] <= BATCH * 36_000, "an own-key item costs at most 36,000 gas, all cold");
        assertTrue(used[2] - used[1] <= BATCH * 26_000, "and at most 26,000 with its slots warm");
    }

    /// @dev One hundred agreements that name one attestor.
    function test_SettleHundredAttested() public {
        bytes32[] memory ids = new bytes32[](BATCH);
        for (uint256 i = 0; i < BATCH; ++i) {
            Terms memory t = twoRegisters(machineId, bytes32(i));
            t.shared = true;
            ids[i] = openFunded(t, 1_000_000);
        }
        vm.warp(start + 5000);
        uint256[3] memory used;
        for (uint256 round = 0; round < 3; ++round) {
            MeterValue[] memory values = valuesFor(ids, round);
            bytes memory signature = signP256Sha256(MACHINE_SECRET, valuesDigest(address(house), values));
            house.settleAttested(values, SIGNER_MACHINE, bytes32(machineId), signature);
            used[round] = vm.snapshotGasLastCall("gas", string.concat("settle, one attestor: ", batchName(round)));
            checkPaid(values);
        }
        snapshotItems("settle, one attestor", used);
        assertTrue(used[1] <= BATCH * 22_000, "an attested item costs at most 22,000 gas, all cold");
        assertTrue(used[2] - used[1] <= BATCH * 16_000, "and at most 16,000 with its slots warm");
    }

    /// @dev (b) of the README is the second batch: 100 agreements, cold. (a) is what the third costs more: its second hundred.
    function snapshotItems(string memory who, uint256[3] memory used) private {
        vm.snapshotValue("gas", string.concat(who, ": an item, all cold"), used[1] / BATCH);
        vm.snapshotValue("gas", string.concat(who, ": an item whose slots are warm"), (used[2] - used[1]) / BATCH);
    }

    function batchName(uint256 round) private pure returns (string memory) {
        if (round == 0) return "100, first of their agreement";
        return round == 1 ? "100, later in the period" : "200 of 100 agreements, later in the period";
    }

    /// @dev Each higher than the last of its agreement; twice as many in the third round.
    function valuesFor(bytes32[] memory ids, uint256 round) private view returns (MeterValue[] memory values) {
        values = new MeterValue[](round == 2 ? 2 * BATCH : BATCH);
        for (uint256 i = 0; i < values.length; ++i) {
            values[i] = valueOf(ids[i % BATCH], 0, start + 600 * (round + 1), 0);
            values[i].registers = new uint256[](2);
            values[i].registers[0] = 10_000 * (round + 1) + i;
            values[i].registers[1] = 5_000 * (round + 1) + i;
        }
    }

    function checkPaid(MeterValue[] memory values) private view {
        MeterValue memory last = values[values.length - 1];
        assertEq(paidOf(last.agreementId, 0), ((last.registers[0] + last.registers[1]) * 25) / 10, "paid");
    }

    function test_SettleOneOfEachSigner() public {
        Key memory key = secp256k1Key(1);
        uint256 machine = registry.register(payee, key, FAR, signAccount(1, registerDigest(registry, payee, key, FAR)));
        vm.prank(payee);
        registry.activate(machine);
        Terms memory t = twoRegisters(machine, "secp256k1");
        settleTwice(t, 1, "settle 1, own secp256k1 key, two registers");

        t = twoRegisters(machineId, "account");
        t.signerKind = SIGNER_ACCOUNT;
        t.signer = bytes32(uint256(uint160(payer)));
        settleTwice(t, PAYER_SECRET, "settle 1, an account (one claim of a voucher), two registers");

        t = twoRegisters(machineId, "p256");
        t.meters[0].stream = "other level";
        t.meters[1].stream = "other energy";
        settleTwice(t, 0, "settle 1, own P-256 key, two registers");
        settleQuorum();
    }

    /// @dev The second is measured.
    function settleTwice(Terms memory t, uint256 secret, string memory name) private {
        bytes32[] memory ids = oneId(openFunded(t, 1_000_000));
        vm.warp(start + 5000);
        for (uint256 round = 0; round < 2; ++round) {
            MeterValue memory value = valuesFor(repeated(ids[0]), round)[0];
            bytes32 digest = valueDigest(value);
            settleOne(value, secret == 0 ? signP256Sha256(MACHINE_SECRET, digest) : signAccount(secret, digest));
            if (round == 1) vm.snapshotGasLastCall("gas", name);
        }
        assertTrue(paidOf(ids[0], 0) > 37_500, "paid twice");
        vm.warp(start);
    }

    function repeated(bytes32 id) private pure returns (bytes32[] memory ids) {
        ids = new bytes32[](BATCH);
        for (uint256 i = 0; i < BATCH; ++i) {
            ids[i] = id;
        }
    }

    function settleQuorum() private {
        bytes[] memory signers = new bytes[](3);
        uint256[3] memory secrets = [uint256(0xF1), 0xF2, 0xF3];
        for (uint256 i = 0; i < 3; ++i) {
            signers[i] = abi.encodePacked(vm.addr(secrets[i]));
        }
        for (uint256 i = 0; i < 3; ++i) {
            for (uint256 j = i + 1; j < 3; ++j) {
                if (keccak256(signers[j]) > keccak256(signers[i])) continue;
                (signers[i], signers[j]) = (signers[j], signers[i]);
                (secrets[i], secrets[j]) = (secrets[j], secrets[i]);
            }
        }
        Terms memory t = siloTerms("quorum");
        t.meters[0].stream = "weighbridge";
        t.signerKind = SIGNER_QUORUM;
        t.signer = keccak256(abi.encode(uint8(2), signers));
        bytes32 id = openFunded(t, 10_000);
        bytes[] memory signatures = new bytes[](3);
        for (uint256 round = 0; round < 2; ++round) {
            MeterValue memory value = valueOf(id, 0, start, 10 * (round + 1));
            for (uint256 i = 0; i < 2; ++i) {
                signatures[i] = signAccount(secrets[i], valueDigest(value));
            }
            settleOne(value, abi.encode(uint8(2), signers, signatures));
        }
        vm.snapshotGasLastCall("gas", "settle 1, quorum of 2 of 3 accounts, one register");
        assertEq(paidOf(id, 0), 20, "paid");
    }

    function test_CreditWithdrawClose() public {
        bytes32 id = openFunded(siloTerms("a"), 10_000);
        settleSigned(valueOf(id, 0, start, 300));
        vm.snapshotGasLastCall("gas", "settle 1, own P-256 key, one register, first of its agreement");
        house.credit(oneId(id));
        vm.snapshotGasLastCall("gas", "credit");
        vm.prank(payee);
        house.withdraw(address(euro), 300, payee);
        vm.snapshotGasLastCall("gas", "withdraw");
        settleSigned(valueOf(id, 0, start, 400));
        vm.prank(payee);
        house.refund(id, 0, 50);
        vm.snapshotGasLastCall("gas", "refund");
        vm.prank(payee);
        house.transferFrom(payee, account("buyer"), uint256(id));
        vm.snapshotGasLastCall("gas", "transfer of a position");
        vm.warp(start + DAY + 7201);
        Adjustment memory a = Adjustment(id, 0, 30, "late");
        bytes memory signature = signP256Sha256(MACHINE_SECRET, adjustmentDigest(address(house), a));
        house.adjust(a, signature);
        vm.snapshotGasLastCall("gas", "adjust");
        settleSigned(valueOf(id, 0, start, 20_000));
        vm.snapshotGasLastCall("gas", "settle 1, own P-256 key, one register, escrow short");
        fundEuro(id, 20_000);
        house.collect(id, onePeriod(0));
        vm.snapshotGasLastCall("gas", "collect (one period)");
        vm.prank(account("buyer"));
        house.close(id);
        vm.snapshotGasLastCall("gas", "close");
    }

    function test_Anchor() public {
        EvidenceAnchor anchor = Deploy.evidenceAnchor();
        bytes32[] memory leaves = new bytes32[](1000);
        for (uint256 i = 0; i < 1000; ++i) {
            leaves[i] = keccak256(abi.encode(i));
        }
        bytes32 oldRoot = MerkleTree.root(leaves, 0, 700);
        bytes32 newRoot = MerkleTree.root(leaves, 0, 1000);
        bytes32[] memory proof = MerkleTree.consistency(leaves, 700, 1000);
        anchor.anchor(700, oldRoot, new bytes32[](0));
        vm.snapshotGasLastCall("gas", "anchor (first)");
        anchor.anchor(1000, newRoot, proof);
        vm.snapshotGasLastCall("gas", "anchor (700 -> 1000 leaves)");
    }
}
