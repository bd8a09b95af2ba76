// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EvidenceAnchor} from "../../src/trust/EvidenceAnchor.sol";
import {Key} from "../../src/trust/Key.sol";
import {Limit, Meter, MeterValue, Terms} from "../../src/transact/Terms.sol";
import {Fixture} from "../support/Fixture.sol";
import {MerkleTree} from "../support/MerkleTree.sol";

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
    }

    /// @dev One hundred machines, each with its own P-256 key, its own agreement and two registers.
    function test_SettleHundredOwnKeys() public {
        bytes32[] memory ids = new bytes32[](BATCH);
        for (uint256 i = 0; i < BATCH; ++i) {
            uint256 machine = activeMachine(registry, payee, 1000 + i);
            ids[i] = openFunded(twoRegisters(machine, bytes32(i)), 1_000_000);
        }
        string memory name = "settle 100 own keys, two registers, first of their period";
        settleRounds(ids, start + 600, 10_000, 1, name);
        name = "settle 100 own keys, two registers, later in the period";
        uint256 once = settleRounds(ids, start + 1200, 20_000, 1, name);
        name = "settle 200: two values each of 100 own keys, two registers, later in the period";
        uint256 twice = settleRounds(ids, start + 1800, 30_000, 2, name);
        vm.snapshotValue("gas", "settle, an own-key item with two registers whose slots are warm", (twice - once) / BATCH);
    }

    /// @dev One batch with `rounds` values, each higher than the last, of every agreement.
    function settleRounds(bytes32[] memory ids, uint256 asOf, uint256 register, uint256 rounds, string memory name)
        private
        returns (uint256 gasUsed)
    {
        vm.warp(asOf);
        MeterValue[] memory values = new MeterValue[](BATCH * rounds);
        bytes[] memory signatures = new bytes[](BATCH * rounds);
        for (uint256 i = 0; i < values.length; ++i) {
            values[i] = valueOf(ids[i % BATCH], 0, asOf, 0);
            values[i].registers = new uint256[](2);
            values[i].registers[0] = register + i;
            values[i].registers[1] = register / 2 + i;
            signatures[i] = signP256Sha256(1000 + (i % BATCH), valueDigest(values[i]));
        }
        house.settle(values, signatures);
        gasUsed = vm.snapshotGasLastCall("gas", name);
        uint256 last = BATCH * (rounds - 1) + 7;
        assertEq(house.escrowOf(ids[7]), 1_000_000 - ((register + register / 2 + 2 * last) * 25) / 10, "paid");
    }

    function test_CreditWithdrawClose() public {
        bytes32 id = openFunded(siloTerms("a"), 10_000);
        settleSigned(valueOf(id, 0, start, 300));
        vm.snapshotGasLastCall("gas", "settle one own key, one register");
        house.credit(oneId(id));
        vm.snapshotGasLastCall("gas", "credit");
        vm.prank(payee);
        house.withdraw(address(euro), 300, payee);
        vm.snapshotGasLastCall("gas", "withdraw");
        vm.prank(payee);
        house.close(id);
        vm.snapshotGasLastCall("gas", "close");
    }

    function test_Anchor() public {
        EvidenceAnchor anchor = new EvidenceAnchor();
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
