// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";
import {ClearingHouse} from "../transact/ClearingHouse.sol";
import {MachineRegistry} from "../trust/MachineRegistry.sol";
import {VaultBuyout} from "./VaultBuyout.sol";
import {VaultIncome} from "./VaultIncome.sol";
import {IVaultRefusals, VaultRules} from "./VaultRules.sol";
import {BuyoutRules, Phase, VaultSetup} from "./VaultSetup.sol";
import {Waterfall} from "./Waterfall.sol";

/// @title One machine, or several, and all who own it
/// @notice Holds machines and positions, issues shares, and splits what they earn. Its timelock, which does what owners voted, may do
/// anything with what it holds but touch money that is somebody's. Rules: docs/protocol/vault.md.
contract MachineVault is VaultBuyout, IERC1271, IERC721Receiver, IVaultRefusals {
    /// @notice Where the machines are tokens.
    MachineRegistry public immutable registry;
    /// @notice Checks what this vault is told.
    VaultRules public immutable rules;
    /// @notice Does what owners voted.
    address public timelock;
    /// @notice Runs the machine day by day: opens agreements that pay the vault, issues usage rights, keeps the allow-list.
    address public operator;

    uint256[] private _machineIds;

    event VaultOpened(address indexed founder, address timelock, address asset, uint256[] machineIds, uint256 founderShares);
    event OperatorSet(address operator);
    event Spent(address indexed to, uint256 amount, string purpose);
    event Executed(address indexed target, uint256 value, bytes data);

    error NotController(address caller, address controller);
    error TargetRefused(address target);
    error ReserveTooSmall(uint256 have, uint256 needed);
    /// @dev The call took money that is somebody's.
    error AccountedMoneyTouched(uint256 have, uint256 needed);

    constructor(MachineRegistry registry_, ClearingHouse clearingHouse_) VaultIncome(clearingHouse_) {
        registry = registry_;
        rules = new VaultRules(clearingHouse_);
        _disableInitializers();
    }

    receive() external payable {}

    /// @notice Begins the vault's life. Called once by the factory, which has checked the setup and hands the machines over in the same
    /// transaction.
    function initialize(VaultSetup calldata setup, address founder_, address timelock_) external initializer {
        __ERC20_init(setup.name, setup.symbol);
        __ERC20Permit_init(setup.name);
        founder = founder_;
        timelock = timelock_;
        asset = IERC20(setup.asset);
        _machineIds = setup.machineIds;
        emit VaultOpened(founder_, timelock_, setup.asset, setup.machineIds, setup.founderShares);
        _setOperator(setup.operator);
        _setWaterfall(setup.waterfall);
        _setBuyoutRules(setup.buyout);
        if (setup.founderShares != 0) _mint(founder_, setup.founderShares);
        _setCompliance(setup.compliance);
        _openSale(setup.sale);
    }

    // --- what owners vote ------------------------------------------------------------------------------------------------

    /// @notice Who may act with what the vault holds: the timelock; the founder after a failed sale; the buyer after a buy-out.
    function controller() public view returns (address) {
        if (phase == Phase.Failed || phase == Phase.BoughtOut) return _soleOwner();
        return timelock;
    }

    /// @notice Calls `target` in the vault's name. The asset itself, the vault itself and withdrawals from the clearing house are
    /// refused: money goes through the waterfall, and out of the reserve by `spend`. Controller only, and not while shares are sold.
    function execute(address target, uint256 value, bytes calldata data)
        external
        payable
        nonReentrant
        returns (bytes memory result)
    {
        _requireController();
        bool withdraws = target == address(clearingHouse) && bytes4(data) == ClearingHouse.withdraw.selector;
        if (target == address(asset) || target == address(this) || withdraws) revert TargetRefused(target);
        emit Executed(target, value, data);
        bool done;
        (done, result) = target.call{value: value}(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
        uint256 have = asset.balanceOf(address(this));
        if (have < accounted) revert AccountedMoneyTouched(have, accounted);
    }

    /// @notice Pays out of the reserve, and says what for. Controller only.
    function spend(address to, uint256 amount, string calldata purpose) external nonReentrant {
        _requireController();
        if (amount > reserve) revert ReserveTooSmall(reserve, amount);
        reserve -= amount;
        emit Spent(to, amount, purpose);
        _payOut(to, amount);
    }

    /// @notice Sets the order in which income is used; what came in before went by the old one. Controller only.
    function setWaterfall(Waterfall calldata waterfall_) external nonReentrant {
        _requireController();
        rules.requireWaterfall(waterfall_);
        _distribute();
        _setWaterfall(waterfall_);
    }

    /// @notice Sets who runs the machine day by day. Controller only.
    function setOperator(address operator_) external {
        _requireController();
        _setOperator(operator_);
    }

    /// @notice Sets who may hold shares; zero: everybody. Controller only.
    function setCompliance(address compliance_) external {
        _requireController();
        _setCompliance(compliance_);
    }

    /// @notice Sets who may offer for the rest of the shares, and how the others refuse. Not while an offer stands. Controller only.
    function setBuyoutRules(BuyoutRules calldata buyout) external {
        _requireController();
        _requireNoOffer();
        rules.requireBuyout(buyout);
        _setBuyoutRules(buyout);
    }

    // --- what the operator signs -----------------------------------------------------------------------------------------

    /// @inheritdoc IERC1271
    /// @notice Good for one thing: opening an agreement that pays the vault in its asset. `signature` is abi.encode(Terms, bytes
    /// operatorSignature over the agreement id).
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        bool signed = phase != Phase.Failed
            && rules.isSignedByOperator(hash, signature, address(this), address(asset), operator);
        return signed ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }

    /// @notice Machines and positions are taken from anybody.
    function onERC721Received(address, address, uint256, bytes calldata) external pure returns (bytes4) {
        return IERC721Receiver.onERC721Received.selector;
    }

    /// @notice The machines that the vault began with.
    function machineIds() external view returns (uint256[] memory) {
        return _machineIds;
    }

    // --- inside ----------------------------------------------------------------------------------------------------------

    function _setOperator(address operator_) private {
        operator = operator_;
        emit OperatorSet(operator_);
    }

    function _afterFailure() internal override {
        uint256 count = _machineIds.length;
        for (uint256 i = 0; i < count; ++i) {
            if (registry.ownerOf(_machineIds[i]) == address(this)) {
                registry.transferFrom(address(this), founder, _machineIds[i]);
            }
        }
    }

    function _requireController() private view {
        if (phase == Phase.Selling) revert PhaseRefused(phase, Phase.Live);
        address current = controller();
        if (msg.sender != current) revert NotController(msg.sender, current);
    }
}
