//! What ClickHouse's error codes mean for who inserts.

use super::Kind;

/// A setting, or a statement, that read-only mode does not let through.
pub(crate) const READONLY: u32 = 164;
/// A setting that the user's profile does not let be changed.
pub(crate) const SETTING_CONSTRAINT_VIOLATION: u32 = 452;

/// Codes by `src/Common/ErrorCodes.cpp` of ClickHouse 26.7.
///
/// [`Kind::Data`] is only what a value can bring about: such a row is set down as rejected. A code
/// that is not named here may be anything, and is [`Kind::Unknown`].
pub(super) fn kind_of_code(code: u32) -> Kind {
    match code {
        95 // CANNOT_READ_FROM_SOCKET
        | 96 // CANNOT_WRITE_TO_SOCKET
        | 159 // TIMEOUT_EXCEEDED
        | 198 // DNS_ERROR
        | 209 // SOCKET_TIMEOUT
        | 210 // NETWORK_ERROR
        | 225 // NO_ZOOKEEPER
        | 236 // ABORTED: the server is going down
        | 279 // ALL_CONNECTION_TRIES_FAILED
        | 319 // UNKNOWN_STATUS_OF_INSERT
        | 394 // QUERY_WAS_CANCELLED
        | 733 // TABLE_IS_BEING_RESTARTED
        | 735 // QUERY_WAS_CANCELLED_BY_CLIENT
        | 999 // KEEPER_EXCEPTION
        => Kind::Outage,
        158 // TOO_MANY_ROWS
        | 173 // CANNOT_ALLOCATE_MEMORY
        | 229 // QUERY_IS_TOO_LARGE
        | 241 // MEMORY_LIMIT_EXCEEDED
        | 307 // TOO_MANY_BYTES
        | 396 // TOO_MANY_ROWS_OR_BYTES
        | 776 // RESOURCE_LIMIT_EXCEEDED
        | 777 // MEMORY_RESERVATION_KILLED
        | 778 // MEMORY_RESERVATION_FAILED
        => Kind::TooLarge,
        74 // CANNOT_READ_FROM_FILE_DESCRIPTOR
        | 75 // CANNOT_WRITE_TO_FILE_DESCRIPTOR: also a full disk
        | 76 // CANNOT_OPEN_FILE
        | 77 // CANNOT_CLOSE_FILE
        | 88 // CANNOT_TRUNCATE_FILE
        | 160 // TOO_SLOW
        | 164 // READONLY
        | 172 // CANNOT_CREATE_DIRECTORY
        | 201 // QUOTA_EXCEEDED
        | 202 // TOO_MANY_SIMULTANEOUS_QUERIES
        | 203 // NO_FREE_CONNECTION
        | 204 // CANNOT_FSYNC
        | 214 // CANNOT_STATVFS
        | 242 // TABLE_IS_READ_ONLY
        | 243 // NOT_ENOUGH_SPACE
        | 252 // TOO_MANY_PARTS
        | 285 // TOO_FEW_LIVE_REPLICAS
        | 286 // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
        | 294 // CANNOT_WRITE_TO_FILE
        | 364 // RECEIVED_ERROR_TOO_MANY_REQUESTS
        | 384 // PART_IS_TEMPORARILY_LOCKED
        | 411 // PTHREAD_ERROR
        | 424 // CANNOT_LINK
        | 425 // SYSTEM_ERROR
        | 439 // CANNOT_SCHEDULE_TASK
        | 458 // CANNOT_UNLINK
        | 473 // DEADLOCK_AVOIDED
        | 499 // S3_ERROR
        | 586 // CANNOT_CREATE_FILE
        | 641 // CANNOT_APPEND_TO_FILE
        | 700 // USER_SESSION_LIMIT_EXCEEDED
        | 738 // PART_IS_LOCKED
        | 745 // SERVER_OVERLOADED
        | 749 // TCP_CONNECTION_LIMIT_REACHED
        | 762 // HTTP_CONNECTION_LIMIT_REACHED
        | 774 // TABLE_IS_PERMANENTLY_READ_ONLY
        | 1001 // STD_EXCEPTION: the operating system's errors
        => Kind::Pressure,
        7 // INCORRECT_NUMBER_OF_COLUMNS
        | 8 // THERE_IS_NO_COLUMN
        | 10 // NOT_FOUND_COLUMN_IN_BLOCK
        | 16 // NO_SUCH_COLUMN_IN_TABLE
        | 20 // NUMBER_OF_COLUMNS_DOESNT_MATCH
        | 47 // UNKNOWN_IDENTIFIER
        | 60 // UNKNOWN_TABLE
        | 81 // UNKNOWN_DATABASE
        | 115 // UNKNOWN_SETTING
        | 180 // THERE_IS_NO_PROFILE
        | 192 // UNKNOWN_USER
        | 193 // WRONG_PASSWORD
        | 194 // REQUIRED_PASSWORD
        | 195 // IP_ADDRESS_NOT_ALLOWED
        | 218 // TABLE_IS_DROPPED
        | 291 // DATABASE_ACCESS_DENIED
        | 452 // SETTING_CONSTRAINT_VIOLATION
        | 472 // READONLY_SETTING
        | 497 // ACCESS_DENIED
        | 516 // AUTHENTICATION_FAILED
        | 720 // USER_EXPIRED
        => Kind::Setup,
        6 // CANNOT_PARSE_TEXT
        | 27 // CANNOT_PARSE_INPUT_ASSERTION_FAILED
        | 38 // CANNOT_PARSE_DATE
        | 41 // CANNOT_PARSE_DATETIME
        | 53 // TYPE_MISMATCH
        | 69 // ARGUMENT_OUT_OF_BOUND
        | 70 // CANNOT_CONVERT_TYPE
        | 72 // CANNOT_PARSE_NUMBER
        | 117 // INCORRECT_DATA
        | 128 // TOO_LARGE_ARRAY_SIZE
        | 131 // TOO_LARGE_STRING_SIZE
        | 153 // ILLEGAL_DIVISION
        | 248 // INVALID_PARTITION_VALUE
        | 321 // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        | 349 // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        | 395 // FUNCTION_THROW_IF_VALUE_IS_NON_ZERO
        | 407 // DECIMAL_OVERFLOW
        | 441 // CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING
        | 467 // CANNOT_PARSE_BOOL
        | 469 // VIOLATED_CONSTRAINT
        | 621 // CANNOT_NORMALIZE_STRING
        | 675 // CANNOT_PARSE_IPV4
        | 676 // CANNOT_PARSE_IPV6
        | 691 // UNKNOWN_ELEMENT_OF_ENUM
        | 760 // UNICODE_ERROR
        => Kind::Data,
        _ => Kind::Unknown,
    }
}

/// What to do about it. What a loader does by itself meanwhile is [`meanwhile`].
pub(super) fn remedy(kind: Kind, code: Option<u32>) -> &'static str {
    match (code, kind) {
        (Some(192..=194 | 516), _) => {
            "check clickhouse.user, clickhouse.password and clickhouse.password_file"
        }
        (Some(60 | 81), _) => {
            "check clickhouse.database, or make the tables with `postback migrate`"
        }
        (Some(115), _) => {
            "upgrade ClickHouse: `postback doctor` says whether it is older than this version is tested with"
        }
        (Some(READONLY), _) => {
            "take readonly out of the user's profile; for a user that only reads, readonly = 2 does (docs/sql.md)"
        }
        (Some(SETTING_CONSTRAINT_VIOLATION | 472), _) => {
            "let the user's profile allow the setting that the message names"
        }
        (Some(291 | 497), _) => {
            "give the user SELECT, INSERT, CREATE, DROP and ALTER on clickhouse.database"
        }
        (Some(195), _) => "let the user connect from this host",
        (Some(173 | 241), _) => "give ClickHouse more memory",
        (Some(242 | 774), _) => "let the table be written again",
        (Some(243), _) => "make room on ClickHouse's disk",
        (Some(252), _) => "let ClickHouse merge, or raise consumer.batch_max_rows",
        (_, Kind::TooLarge) => "raise the limit of ClickHouse, or of the proxy before it",
        (_, Kind::Outage) => "see that ClickHouse runs and clickhouse.url reaches it",
        (_, Kind::Pressure) => "see ClickHouse's own log for what it lacks",
        (_, Kind::Setup) => {
            "see that the tables are those of this version: `postback migrate`, `postback doctor`"
        }
        (_, Kind::Unknown) => "see what ClickHouse says about it",
        (_, Kind::Data | Kind::Contradiction) => {
            "see what ClickHouse says about the value or the statement, and mend the table"
        }
    }
}

/// What a loader does by itself until then.
pub(super) const fn meanwhile(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::TooLarge => Some("smaller batches are tried meanwhile"),
        Kind::Outage | Kind::Pressure | Kind::Setup | Kind::Unknown => Some("it is tried again"),
        Kind::Data | Kind::Contradiction => None,
    }
}
