// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What the money of agreements must be, computed the plain way. It knows nothing of the house's code: of a period it keeps the
/// best value shown, what was added to it and what it was paid.
abstract contract ShadowLedger {
    struct Book {
        bytes32 id;
        address payer;
        address owner;
        uint256 asset;
        bool open;
        uint256 signer;
        uint256 tariff;
        uint256 cap;
        uint256 most;
        uint256 funded;
        uint256 escrow;
        uint256 earned;
    }

    uint32 public constant PERIODS = 3;

    Book[] internal _books;
    uint256[2] public deposits;
    uint256[2] public withdrawals;
    mapping(bytes32 id => mapping(uint32 period => uint256)) public best;
    mapping(bytes32 id => mapping(uint32 period => uint256)) public added;
    mapping(bytes32 id => mapping(uint32 period => uint256)) public paid;
    mapping(address account => mapping(uint256 asset => uint256)) public balance;
    mapping(bytes32 id => uint256) private _placeOf;

    function count() external view returns (uint256) {
        return _books.length;
    }

    function bookOf(uint256 index) external view returns (Book memory) {
        return _books[index];
    }

    /// @notice What is shown to be owed for a period.
    function proven(Book memory book, uint32 period) public view returns (uint256) {
        return _dueFor(book, period, best[book.id][period]);
    }

    function arrears(Book memory book) public view returns (uint256 sum) {
        for (uint32 period = 0; period < PERIODS; ++period) {
            sum += proven(book, period) - paid[book.id][period];
        }
    }

    /// @dev Zero: there is no such book. Else its index + 1.
    function _place(bytes32 id) internal view returns (uint256) {
        return _placeOf[id];
    }

    function _openBook(Book memory book) internal {
        _books.push(book);
        _placeOf[book.id] = _books.length;
    }

    function _deposit(Book storage book, uint256 amount) internal {
        deposits[book.asset] += amount;
        book.funded += amount;
        book.escrow += amount;
    }

    /// @param due within the cap
    /// @return what is paid now
    function _settle(Book storage book, uint32 period, uint256 due) internal returns (uint256) {
        if (due > best[book.id][period]) best[book.id][period] = due;
        return _pay(book, period, _dueFor(book, period, due));
    }

    function _collect(Book storage book, uint32 period) internal {
        _pay(book, period, proven(book, period));
    }

    function _adjust(Book storage book, uint32 period, uint256 amount) internal {
        added[book.id][period] = amount;
        _pay(book, period, proven(book, period));
    }

    function _credit(Book storage book) internal {
        balance[book.owner][book.asset] += book.earned;
        book.earned = 0;
    }

    function _close(Book storage book) internal {
        balance[book.payer][book.asset] += book.escrow;
        book.funded -= book.escrow;
        book.escrow = 0;
        book.open = false;
    }

    function _pay(Book storage book, uint32 period, uint256 due) private returns (uint256 amount) {
        uint256 before = paid[book.id][period];
        if (due <= before) return 0;
        amount = due - before < book.escrow ? due - before : book.escrow;
        paid[book.id][period] += amount;
        book.escrow -= amount;
        book.earned += amount;
    }

    function _dueFor(Book memory book, uint32 period, uint256 due) private view returns (uint256) {
        uint256 sum = due + added[book.id][period];
        return sum < book.most ? sum : book.most;
    }
}
