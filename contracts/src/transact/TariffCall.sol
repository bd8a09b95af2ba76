// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BoundedCall} from "./BoundedCall.sol";
import {ITariff} from "./ITariff.sol";
import {EncodedTerms} from "./TermsCode.sol";

/// @title What a stranger's tariff says
library TariffCall {
    /// @dev Gas that every tariff gets.
    uint256 internal constant GAS = 100_000;

    /// @return ok false if the tariff fails
    function owed(
        EncodedTerms terms,
        uint256[] memory registers,
        uint256 elapsed
    ) internal view returns (bool ok, uint256 amount) {
        return BoundedCall.word(
            terms.tariff(), GAS, abi.encodeCall(ITariff.owed, (terms.tariffData(), registers, uint64(elapsed)))
        );
    }
}
