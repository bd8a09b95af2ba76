// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ClearingHouse} from "../transact/ClearingHouse.sol";
import {Terms} from "../transact/Terms.sol";
import {BuyoutRules, Sale, VaultSetup} from "./VaultSetup.sol";
import {Waterfall} from "./Waterfall.sol";

/// @notice Why the setup of a vault is refused. The vault and the factory pass these on, so they are in their ABIs too.
interface IVaultRefusals {
    error TooManyFees(uint256 have, uint256 most);
    error FeesAboveWhole(uint256 have, uint256 most);
    error FeeReceiverZero();
    error LenderZero(uint128 outstanding);
    error BuyoutRulesRefused(BuyoutRules rules);
    error SaleRefused(Sale sale);
    error AssetHasNoCode(address asset);
    error TooManyMachines(uint256 have, uint256 most);
    /// @dev Nobody would ever hold a share.
    error NoShares();
    error TooManyShares(uint256 have, uint256 most);
}

/// @title What a vault's rules must be like, and whether its operator has signed
/// @notice Created by the vault's code and without any state: it only keeps that code within the limit.
contract VaultRules is IVaultRefusals {
    /// @notice A waterfall has at most this many fees.
    uint256 public constant MAX_FEES = 4;
    /// @notice A vault begins with at most this many machines.
    uint256 public constant MAX_MACHINES = 16;
    /// @notice A vault has at most this many shares: what division by their number leaves is less than a smallest unit.
    uint256 public constant MAX_SHARES = type(uint96).max;
    /// @notice A sale ends within so many seconds: until then nobody has his money back.
    uint256 public constant MAX_SALE_SECONDS = 366 days;
    uint256 private constant WHOLE = 10_000;

    ClearingHouse private immutable _clearingHouse;

    constructor(ClearingHouse clearingHouse) {
        _clearingHouse = clearingHouse;
    }

    /// @notice Reverts unless a vault can begin with it.
    function requireSetup(VaultSetup calldata setup) external view {
        if (setup.asset.code.length == 0) revert AssetHasNoCode(setup.asset);
        if (setup.machineIds.length > MAX_MACHINES) revert TooManyMachines(setup.machineIds.length, MAX_MACHINES);
        if (setup.founderShares == 0 && setup.sale.cap == 0) revert NoShares();
        uint256 shares = uint256(setup.founderShares) + setup.sale.cap;
        if (shares > MAX_SHARES) revert TooManyShares(shares, MAX_SHARES);
        requireWaterfall(setup.waterfall);
        requireBuyout(setup.buyout);
        _requireSale(setup.sale);
    }

    /// @notice Reverts unless the waterfall can be used.
    function requireWaterfall(Waterfall calldata waterfall) public pure {
        uint256 count = waterfall.fees.length;
        if (count > MAX_FEES) revert TooManyFees(count, MAX_FEES);
        uint256 sum = 0;
        for (uint256 i = 0; i < count; ++i) {
            if (waterfall.fees[i].to == address(0)) revert FeeReceiverZero();
            sum += waterfall.fees[i].bps;
        }
        if (sum > WHOLE) revert FeesAboveWhole(sum, WHOLE);
        if (waterfall.lender == address(0) && waterfall.outstanding != 0) revert LenderZero(waterfall.outstanding);
    }

    /// @notice Reverts unless the others have a fair chance: who offers holds half of the shares at least, more than half of the
    /// rest can always refuse, and they have an hour at least.
    function requireBuyout(BuyoutRules calldata rules) public pure {
        if (rules.minBps == 0 && rules.refusalBps == 0 && rules.delaySeconds == 0) return;
        bool fair = rules.minBps >= WHOLE / 2 && rules.minBps <= WHOLE && rules.refusalBps <= WHOLE / 2
            && rules.delaySeconds >= 1 hours && rules.delaySeconds <= 365 days;
        if (!fair) revert BuyoutRulesRefused(rules);
    }

    /// @notice True if `signature`, abi.encode(Terms, bytes operatorSignature), is of terms with the id `hash` that pay `vault`, in
    /// `asset`, and that `operator` has signed.
    function isSignedByOperator(bytes32 hash, bytes calldata signature, address vault, address asset, address operator)
        external
        view
        returns (bool)
    {
        (Terms memory terms, bytes memory operatorSignature) = abi.decode(signature, (Terms, bytes));
        if (terms.payee != vault || terms.payer == vault || terms.asset != asset) return false;
        return _clearingHouse.hashTerms(terms) == hash
            && SignatureChecker.isValidSignatureNow(operator, hash, operatorSignature);
    }

    function _requireSale(Sale calldata sale) private view {
        bool none = sale.cap == 0 && sale.goal == 0 && sale.priceMinor == 0 && sale.deadline == 0;
        bool sound = sale.cap != 0 && sale.priceMinor != 0 && sale.goal <= sale.cap && sale.deadline > block.timestamp
            && sale.deadline <= block.timestamp + MAX_SALE_SECONDS && uint256(sale.priceMinor) * sale.cap <= type(uint128).max;
        if (!none && !sound) revert SaleRefused(sale);
    }
}
